"""Model card and data sheet: written from the run, not typed."""
