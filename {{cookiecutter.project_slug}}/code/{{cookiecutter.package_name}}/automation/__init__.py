"""What CI does, as commands that a person can run too: the workflows only call make."""
