"""How Sphinx makes the function reference and the pages around it: `make api`. See tools/api.py."""

project = html_title = "stagebook"
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.viewcode"]
myst_heading_anchors = 3

autodoc_default_options = {"members": True, "member-order": "bysource"}  # what is in `__all__`
autodoc_typehints = "signature"
napoleon_google_docstring = False
napoleon_use_rtype = False
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 100
add_module_names = False
toc_object_entries_show_parents = "hide"
highlight_language = "none"  # of blocks that name no language
default_role = "code"  # `name` in a docstring is code
smartquotes_action = "D"  # dashes, no curly quotes

html_theme = "furo"
html_copy_source = False
html_show_copyright = False
