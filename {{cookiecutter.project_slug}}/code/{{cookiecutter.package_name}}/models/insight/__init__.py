"""What one figure for all rows hides: weak segments, unequal groups, behaviour, and what the model relies on."""
