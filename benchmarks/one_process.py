"""The cells of all notebooks of a project, one after the other in this one process: the limit for a pipeline.

Run by the project's own Python, in its notebooks/ folder. IPython runs the cells, so plots and tables are made.
"""

import os
import sys
from pathlib import Path

os.environ["MPLBACKEND"] = "module://matplotlib_inline.backend_inline"
import nbformat
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from ruamel.yaml import YAML

sections = YAML(typ="safe").load(Path("../params.yaml").read_text(encoding="utf-8"))
shell = InteractiveShell.instance()
for notebook in sorted(Path().glob("*.ipynb")):
    with capture_output():
        for cell in nbformat.read(notebook, as_version=4).cells:
            if cell.cell_type == "code":
                result = shell.run_cell(cell.source)
                if not result.success:
                    sys.exit(f"{notebook}: {result.error_in_exec or result.error_before_exec}")
            if "parameters" in cell.metadata.get("tags", []):
                shell.push(sections.get(notebook.stem.lstrip("0123456789_")) or {})
