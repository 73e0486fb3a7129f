"""Lay the files of the chosen options over the project, drop the others. Standard library only."""

import json
import shutil
from pathlib import Path

ANSWERS = json.loads(
    r"""
{{ cookiecutter | tojson }}
""".strip()
)
OPTIONS = Path("options")

for question in OPTIONS.iterdir():
    shutil.copytree(question / ANSWERS[question.name], ".", dirs_exist_ok=True)
shutil.rmtree(OPTIONS)
