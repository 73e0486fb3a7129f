"""How Sphinx makes the site of `make docs`: see www.sphinx-doc.org. The library lays out the pages."""

extensions = ["myst_nb"]
nb_execution_mode = "off"  # the pipeline executes notebooks; what came out is in reports/
myst_heading_anchors = 4
highlight_language = "none"
suppress_warnings = ["misc.highlighting_failure", "myst.header"]  # matters of taste, not of truth

smartquotes = False  # quotes and dashes as they were typed

html_theme = "furo"
html_copy_source = False
html_show_copyright = False
