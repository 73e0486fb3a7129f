"""Read a table from a file, an address or a database."""
