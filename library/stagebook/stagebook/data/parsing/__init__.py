"""Numbers, dates and words in text columns."""
