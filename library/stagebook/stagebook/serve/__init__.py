"""Serving: the champion over HTTP, with a log of every prediction. All ways to serve go through `stagebook.request`."""
