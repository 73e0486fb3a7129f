"""Refuse answers that would give a broken project, and say the fix. Standard library only.

Two checks need the project's files, and are in post_gen_project.py: names of pinned distributions, and secrets in the
address of the data, which the library finds. `make setup` compares names with what is installed.
"""

import json
import keyword
import os
import re
import sys
from pathlib import Path

# The answers as data, with all their characters. The line breaks keep a quote at either end apart from the literal's own.
ANSWERS = json.loads(
    r"""
{{ cookiecutter | tojson }}
""".strip()
)
FOLDERS = ("code", "data", "docs", "environments", "models", "notebooks", "pipelines", "reports", "tests", "vendor")


def slug_problem(slug: str) -> str | None:
    """Say what is wrong with the project's slug."""
    if not re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", slug) or len(slug) > 50:
        return f"{slug!r} must be lower-case letters, digits and single hyphens, from a letter on, 50 at most; choose another"
    return None


def package_problem(package: str) -> str | None:
    """Say what is wrong with the name of the Python package."""
    if not re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", package) or len(package) > 30:
        return f"{package!r} must be lower-case letters, digits and single underscores, from a letter on, 30 at most; choose another"
    for names, what in (
        (keyword.kwlist + keyword.softkwlist, "a keyword of Python"),
        (sys.stdlib_module_names, "a module of the standard library"),
        (FOLDERS, "a folder of the project"),
    ):
        if package in names:
            return f"{package!r} is {what}; choose another, say {package + '_project'!r}"
    return None


def email_problem(email: str) -> str | None:
    """Say what is wrong with the e-mail address."""
    if not re.fullmatch(r"""[^\s@"\\<>,;:()]+@[^\s@"\\<>,;:()]+""", email):
        return f"{email!r} is not an address such as team@example.com"
    return None


def text_problem(text: str) -> str | None:
    """Say what is wrong with free text: anything goes but nothing, and control characters."""
    if not text.strip():
        return "is empty"
    if control := re.search(r"[\x00-\x08\x0b-\x1f\x7f\x85\u2028\u2029]", text):
        return f"has the control character {control.group()!r}; only line breaks and tabs are allowed"
    return None


def data_problems(answers: dict[str, str]) -> list[str]:
    """Return a line for each answer about the data that cannot be used."""
    path, flights = answers["data_path"], answers["data"] == "flights"
    is_update = "PROJECT_TO_UPDATE" in os.environ  # by `make update`, when the first file may be long gone
    if flights:
        given = [name for name in ("data_path", "target", "time_column") if answers[name]]
        return [f"{name}: {answers[name]!r} is for your own data; say data=own too" for name in given]
    problems = [f"{name}: is empty; own data needs it" for name in ("data_path", "target") if not answers[name].strip()]
    if path and "://" not in path and not is_update and not find_file(path).is_file():
        problems.append(f"data_path: there is no file {path!r}; name one from where you are, or a URL")
    return problems


def find_file(path: str) -> Path:
    """Return a path as the user typed it, relative to where the user is, not to the project."""
    return Path(os.environ.get("PWD", ".."), Path(path).expanduser())


CHECKS = {
    "project_name": text_problem,
    "project_slug": slug_problem,
    "package_name": package_problem,
    "description": text_problem,
    "author_name": text_problem,
    "author_email": email_problem,
}


def find_problems(answers: dict[str, str]) -> list[str]:
    """Return a line for each answer that cannot be used."""
    found = {name: check(answers[name]) for name, check in CHECKS.items()}
    if answers["project_slug"] == "-":  # what cookiecutter.json makes of a name without letters
        found |= {"project_slug": None, "package_name": None}
        found["project_name"] = found["project_name"] or (
            f"{answers['project_name']!r} has no letter or digit to name a folder after; choose another, or give project_slug"
        )
    return [f"{name}: {problem}" for name, problem in found.items() if problem] + data_problems(answers)


if __name__ == "__main__" and (problems := find_problems(ANSWERS)):
    print("Nothing was generated. Please change:", *problems, sep="\n  ", file=sys.stderr)
    sys.exit(1)
