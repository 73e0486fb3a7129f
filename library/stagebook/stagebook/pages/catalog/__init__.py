"""The data catalog in docs/data."""
