"""Requests: what a caller of the model sends, and how it becomes the model's input by the code of training.

A `Contract` says which fields a request has. 55_request writes it, the registry keeps it with the model, and every way to
serve the model reads it.
"""
