"""Add a step to the pipeline."""
