"""Refuse answers that would give a broken project, and say the fix. Standard library only.

Names of installed packages are no concern of this hook: post_gen_project.py compares with the pinned distributions, and
`make setup` with what is installed.
"""

import json
import keyword
import os
import re
import sys
from pathlib import Path
from urllib.parse import unquote_plus

# The answers as data, with all their characters. The line breaks keep a quote at either end apart from the literal's own.
ANSWERS = json.loads(
    r"""
{{ cookiecutter | tojson }}
""".strip()
)
FOLDERS = ("code", "data", "docs", "environments", "models", "notebooks", "pipelines", "reports", "tests", "vendor")
# As in stagebook/project/addresses.py, which a hook cannot import; library/tests/unit/test_addresses.py compares them.
SECRET_NAME = re.compile(
    r"passw|pwd$|secret|^(?!.*(page|next|continuation)[_-]?token$).*token$|^(sig|signature|jwt|auth|authorization|sas)$|"
    r"-signature$|-credential$|api[_-]?key|apikey|access[_-]?key|account[_-]?key|subscription[_-]?key|"
    r"shared[_-]?access|^credentials?$",
    re.IGNORECASE,
)
TOKEN = re.compile(
    r"(?:(?<![\w+/-])|(?<=//))(?:"
    r"gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{22,}|glpat-[\w-]{20,}|hf_[A-Za-z0-9]{30,}|"
    r"sk-(?:ant|proj|svcacct)-[\w-]{20,}|AIza[\w-]{35}|xox[abeprs]-[\w-]{10,}|(?:AKIA|ASIA)[A-Z0-9]{16}|"
    r"dapi[0-9a-f]{32}|pypi-[\w-]{50,}|npm_[A-Za-z0-9]{36}|dop_v1_[0-9a-f]{64}|ya29\.[\w-]{20,}"
    r")"
)
LOGIN = re.compile(r"://([^/?#:@\[\s]{0,200}):(?![0-9]{1,9}(?:[/?#]|$))[^\s\"'<>]{0,300}@")
PARAMETER = re.compile(r"([?&;#])([^=&;#?\s]{1,100})=([^&;#\s\"'<>)\]}]*)")
PLACEHOLDER = re.compile(r"\*+|[<{$].*|\.{3}|x{3,}", re.IGNORECASE)  # no value, but where one would stand


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
    if secret := find_secret(path):
        problems.append(
            f"data_path: has {secret} in it, which would go to git; leave it out. Set DATABASE_PASSWORD or HTTP_PASSWORD in the "
            "environment to a password, and HTTP_QUERY to what follows the ? of a signed address"
        )
    elif path and "://" not in path and not is_update and not find_file(path).is_file():
        problems.append(f"data_path: there is no file {path!r}; name one from where you are, or a URL")
    return problems


def find_secret(text: str) -> str | None:
    """Say what in an address is secret: a password, a token, the signature in a query."""
    if "://" not in text:
        return None
    if (login := LOGIN.search(text)) and not PLACEHOLDER.fullmatch(login[0].rpartition(":")[2][:-1]):
        return "a password"
    for found in PARAMETER.finditer(text):
        if is_secret(found[2], found[3]):
            name = unquote_plus(found[2])
            return f"a {'password' if 'pass' in name.lower() else 'secret'} (`{name}=`)"
    return "a token" if TOKEN.search(text) else None


def is_secret(name: str, value: str) -> bool:
    """Tell whether a parameter of an address is secret."""
    if not value or PLACEHOLDER.fullmatch(value):
        return False
    return bool(SECRET_NAME.search(unquote_plus(name)) or TOKEN.search(value))


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
