"""Predictions that were given, kept to be found again: log, true values, retention. Whoever predicts writes them here."""
