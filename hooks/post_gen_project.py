"""Keep the files of the chosen options, remove the others. Standard library only."""

import json
import shutil
from pathlib import Path

LICENCE = json.loads(
    r"""
{{ cookiecutter.license | tojson }}
""".strip()
)

Path("licences", LICENCE).rename("LICENSE")
shutil.rmtree("licences")
