"""Notebooks as pipeline steps, and the machine-learning lifecycle around them."""

__version__ = "0.3.0+vendored"
