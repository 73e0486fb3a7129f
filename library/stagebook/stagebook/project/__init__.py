"""The project: its root, settings, errors, atomic file writes, typed YAML files.

All other rooms use it, and it imports none of them. `errors` has the one error class and its subclasses; `files`
writes a file or a folder completely or not at all; `settings` reads `[tool.stagebook]` of pyproject.toml and loads
the objects of the project that it names; `yaml_files` reads and writes YAML files as typed values.
"""
