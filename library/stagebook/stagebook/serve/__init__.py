"""Serving: the champion over HTTP, and for people. All ways to serve go through `stagebook.request`."""
