"""docs/requirements.yaml, and the gate that holds a model against it."""
