"""Refuse names that are taken, lay the chosen options over the project, fill in the data, remember the template.

Standard library only. If it fails, cookiecutter removes what it has generated.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ANSWERS = json.loads(
    r"""
{{ cookiecutter | tojson }}
""".strip()
)
OPTIONS = Path("options")
SUPPORTED = ["3.11", "3.12", "3.13"]
# `make update` bakes in a temporary folder, for a project that is elsewhere.
PROJECT = Path(os.environ.get("PROJECT_TO_UPDATE", Path.cwd()))


def find_file(path: str) -> Path:
    """Return a path as the user typed it, relative to where the user is, not to the project."""
    return Path(os.environ.get("PWD", ".."), Path(path).expanduser())


def refuse(*lines: str) -> None:
    """End with an error; cookiecutter then removes the project."""
    print("Nothing was generated. " + "\n  ".join(lines), file=sys.stderr)
    sys.exit(1)


def check_library() -> None:
    """Stop if the library is not there: a zip of the template holds its link as a small text file."""
    if not Path("vendor/stagebook/pyproject.toml").is_file():
        refuse(
            "The template has no library: its folder is a link, which a zip download loses. "
            "Clone the template with git, and give cookiecutter that folder, or the git address."
        )


def check_address(address: str) -> None:
    """Stop if there is a secret in the address of the data: it would go to git."""
    from stagebook.project.addresses import find_secret

    if secret := find_secret(address):
        refuse(
            "Please change:",
            f"data_path: has {secret} in it, which would go to git; leave it out. Set DATABASE_PASSWORD or HTTP_PASSWORD in the "
            "environment to a password, and HTTP_QUERY to what follows the ? of a signed address",
        )


def check_former() -> None:
    """Stop an update by release 0.2.0, which cannot follow names from code/ into the library; say what can."""
    machinery = PROJECT / "code" / ANSWERS["package_name"] / "pipeline" / "execute.py"
    if "PROJECT_TO_UPDATE" in os.environ and "STAGEBOOK_MIGRATES" not in os.environ and machinery.is_file():
        refuse(
            "This project has the machinery of release 0.2.0 in code/. Nothing is changed. Update it once by these commands:",
            f"git clone {json.loads((PROJECT / '.cruft.json').read_text())['template']} ../template",
            "PYTHONPATH=../template/library/stagebook .venv/bin/python -m stagebook migrate",
            "make setup check",
            "../template/library/stagebook/docs/updating.md describes what they do.",
        )


def check_names() -> None:
    """Stop if the project or its package has the name of a distribution that it installs.

    Names under which a distribution is imported (`sklearn`) are known only once it is installed: `make setup` checks them.
    """
    pins = [line for file in Path("environments").glob("constraints-*.txt") for line in file.read_text().splitlines()]
    taken = {normalise(pin.partition("==")[0]) for pin in pins} | {"stagebook"}
    problems = [
        f"{question}: {ANSWERS[question]!r} is a library that the project installs; "
        f"choose another, say {ANSWERS[question] + joint + 'project'!r}"
        for question, joint in (("project_slug", "-"), ("package_name", "_"))
        if normalise(ANSWERS[question]) in taken
    ]
    if problems:
        refuse("Please change:", *problems)


def normalise(name: str) -> str:
    """Return the name of a distribution as package indexes compare it."""
    return re.sub(r"[-_.]+", "-", name.strip()).lower()


def lay_options() -> None:
    """Copy the files of the chosen answers over the project; `both` is all answers.

    A folder is named after a question, or after two of them that are joined by `+`, as are its folders after the answers.
    Those of a combination come last: they go over those of a single answer.
    """
    for question in sorted(OPTIONS.iterdir(), key=lambda folder: folder.name.count("+")):
        for answer in question.iterdir():
            pairs = zip(question.name.split("+"), answer.name.split("+"), strict=True)
            if all(ANSWERS[asked] in (given, "both") for asked, given in pairs):
                shutil.copytree(answer, ".", dirs_exist_ok=True)
    shutil.rmtree(OPTIONS)


def data_path() -> str:
    """Return the path of the data, from the project if it was typed as a relative one."""
    typed = ANSWERS["data_path"]
    if not typed or "://" in typed or Path(typed).expanduser().is_absolute():
        return typed
    return Path(os.path.relpath(find_file(typed), PROJECT)).as_posix()


def name_data(path: str) -> None:
    """Write path, target and time column into params.yaml and the notebooks; a URL is no file for DVC to watch."""
    if "://" in path:
        replace_in("dvc.yaml", "      - ${ingest.path} # a file; not for a URL\n", "")
    for name, value in (("path", path), ("target", ANSWERS["target"]), ("time_column", ANSWERS["time_column"])):
        text = json.dumps(value, ensure_ascii=False)
        replace_in("params.yaml", f'  {name}: ""', f"  {name}: {text}")
        notebook = "notebooks/10_ingest.ipynb" if name == "path" else "notebooks/15_schema.ipynb"
        line = json.dumps(f"{name} = {text}", ensure_ascii=False)[:-1]
        replace_in(notebook, f'"{name} = \\"\\"', line)


def replace_in(file: str, old: str, new: str) -> None:
    """Replace text in a file."""
    path = Path(file)
    path.write_text(path.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")


def adapt_workflows() -> None:
    """Leave out the Pythons that are too old, and the secrets of other remotes and stores than the chosen ones."""
    oldest = ANSWERS["python_version"]
    versions = [version for version in SUPPORTED if version >= oldest]
    for path in Path(".github").rglob("*.yaml"):
        text = path.read_text(encoding="utf-8").replace(json.dumps(SUPPORTED), json.dumps(versions))
        text = text.replace(f'"{SUPPORTED[0]}" # oldest', json.dumps(oldest))
        lines = (re.fullmatch(r"(.*?)(?: # (remote|tracking): (\w+))?", line) for line in text.splitlines())
        kept = [line[1] for line in lines if ANSWERS.get(line[2]) == line[3]]
        path.write_text("\n".join([*kept, ""]), encoding="utf-8")


def find_template() -> Path | None:
    """Return the template's folder, None if it cannot be told; a relative one is looked for where the user is."""
    for typed in filter(None, (ANSWERS.get("_repo_dir"), ANSWERS["_template"])):  # cruft does not say the first
        folder = find_file(typed)
        if (folder / "cookiecutter.json").is_file() and (folder / "hooks").is_dir():
            return folder.resolve()
    return None


def find_commit(template: Path) -> str | None:
    """Return the commit of the template; None if its folder is no git repository, or only a part of one."""
    command = ["git", "-C", template, "rev-parse", "--show-prefix", "HEAD"]
    try:
        prefix, commit = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    except (OSError, subprocess.CalledProcessError):
        return None
    return None if prefix else commit


def find_address(template: Path | None) -> str:
    """Return where the template can be had again: an address without credentials, or a folder."""
    typed = ANSWERS["_template"]
    is_address = ":" in typed or typed.endswith(".zip")
    if Path(typed).is_absolute() or (is_address and typed != ANSWERS.get("_repo_dir")) or not template:
        return re.sub(r"^(https?://)[^/@]*@", r"\1", typed)
    return str(template)


def drop_generated() -> None:
    """Drop what Python, installers and checkers wrote beside the library's source in the template's folder."""
    for pattern in ("**/__pycache__", "**/.*_cache", "*.egg-info", "build"):
        for folder in list(Path("vendor", "stagebook").glob(pattern)):
            shutil.rmtree(folder)


def write_library_list() -> None:
    """Write vendor/stagebook.sha256, by which `stagebook check` tells what was edited."""
    from stagebook.scaffold.vendored import write_list

    write_list(Path())


def remember_template() -> None:
    """Write template, commit and answers as cruft does, for `make update`."""
    template = find_template()
    address, commit = find_address(template), find_commit(template) if template else None
    if not commit:
        print(
            "NOTE: no commit of the template could be found. Before `make update`, write the template's address and its "
            "commit (`git rev-parse HEAD` there) into `template` and `commit` of .cruft.json.",
            file=sys.stderr,
        )
    answers = {name: answer for name, answer in ANSWERS.items() if not name.startswith("_")}
    answers |= {"data_path": data_path(), "_template": address}
    state = {
        "template": address,
        "commit": commit,
        "checkout": ANSWERS.get("_checkout"),
        "context": {"cookiecutter": answers},
        "directory": None,
    }
    text = json.dumps(state, ensure_ascii=False, indent=2)
    Path(".cruft.json").write_text(text + "\n", encoding="utf-8")


def note_repository_above() -> None:
    """Say that the project is inside another git repository which does not ignore it; `make setup` asks what to do."""
    command = ["git", "-C", "..", "rev-parse", "--show-toplevel"]
    try:
        above = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
        is_ignored = subprocess.run(["git", "check-ignore", "--quiet", "."], check=False).returncode == 0
    except (OSError, subprocess.CalledProcessError):
        return
    if not is_ignored and "PROJECT_TO_UPDATE" not in os.environ:
        print(
            f"NOTE: the project is inside the git repository {above}. Before `make setup`, choose: `git init` in its folder "
            "makes it a repository of its own, `git add` of its folder makes it a part of the other one.",
            file=sys.stderr,
        )


if __name__ == "__main__":
    sys.dont_write_bytecode = True
    sys.path.insert(0, "vendor/stagebook")  # what the hook uses of the library needs the standard library only
    check_library()
    check_address(ANSWERS["data_path"])
    check_former()
    drop_generated()
    check_names()
    lay_options()
    if ANSWERS["data"] == "own":
        name_data(data_path())
    if ANSWERS["ci"] != "gitlab":
        adapt_workflows()
    write_library_list()
    remember_template()
    note_repository_above()
