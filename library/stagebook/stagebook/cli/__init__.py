"""The command `stagebook`.

Each command is a function with the decorator `command`: its docstring is the help. Heavy imports are inside the
functions, so `stagebook --help` is fast.
"""
