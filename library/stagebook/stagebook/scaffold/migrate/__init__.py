"""A project of release 0.2.0, whose machinery is in code/, is brought to the library."""
