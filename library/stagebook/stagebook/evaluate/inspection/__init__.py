"""Where a model is weak, whom it treats differently, how it behaves, and what it relies on."""
