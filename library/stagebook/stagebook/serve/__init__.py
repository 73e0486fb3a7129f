"""Serving: the prediction log and the true values that arrive later."""
