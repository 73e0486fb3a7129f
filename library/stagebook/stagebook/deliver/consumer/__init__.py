"""What a wheel with a model has in it: these modules are copied, and run there without stagebook (see ../wheel.py)."""
