"""A process that has the libraries imported and forks a child for each step."""
