"""Batch scoring: predictions of many new rows in advance, to Parquet and to a SQL table. Imports no web server."""
