"""Refuse what must not enter git: data, large files, pickles, secrets. Looks at git's index, which is what a commit takes,
and for secrets at all commits of the branch: what a later one removes is in the history still."""

import re
import subprocess
from dataclasses import dataclass
from fnmatch import fnmatchcase
from os import fsdecode
from pathlib import Path, PurePosixPath

from ..project.branch import find_target
from ..project.errors import StepError
from ..project.settings import read_settings
from .file_kinds import find_kind, is_pickle
from .leaks import detectors, find_leaks

__all__ = ["check_files"]

DVC_FOLDERS = {"data", "models", "reports"}
DATA = re.compile(
    r"\.(7z|arrow|avro|bz2|csv|db|dta|duckdb|feather|gz|h5|hdf5|jsonl|mdb|ndjson|np[yz]|orc|parquet|rdata|rds|sas7bdat|sav|"
    r"sqlite3?|tar|tgz|tsv|xls|xls[bmx]|xz|zip|zst|whl|egg|jar|rar)"
)
PICKLES = {".dill", ".joblib", ".pickle", ".pkl", ".pt", ".pth"}
SUBMODULE = "160000"  # mode in git's index
KEY_STORES = {".jks", ".kdbx", ".keystore", ".p12", ".pfx", ".ppk"}


@dataclass(frozen=True)
class Entry:
    """A file in git's index: its path below the project, the id of its content, its size in bytes."""

    name: str
    blob: str
    size: int | None  # None: a submodule, whose content is elsewhere


def check_files(root: Path, staged: bool = False) -> None:
    """Raise StepError that names each file that must not be in git, why, and what to do.

    Looks at all files in git, or with `staged` at those that the next commit changes. The size limit and the exceptions
    are in pyproject.toml, `[tool.stagebook.check_files]`.
    """
    settings = read_settings(root)["check_files"]
    entries = list_entries(root, staged)
    problems = {entry.name: file_problem(entry, settings["allow"], settings["max_kilobytes"]) for entry in entries}
    readable = [entry for entry in entries if not problems[entry.name] and entry.size is not None]
    with detectors():
        for entry, content in zip(readable, read_contents(root, readable), strict=True):
            allowed = any(fnmatchcase(entry.name, pattern) for pattern in settings["allow"])
            problems[entry.name] = content_problem(entry.name, content, allowed)
        if not staged:
            problems |= find_past_leaks(root, {entry.blob for entry in entries}, settings["max_kilobytes"])
    lines = [f"  {_printable(name)}: {problem}." for name, problem in problems.items() if problem]
    if lines:
        advice = "`git rm --cached <file>` takes a file out of git; it stays on your disk. More: vendor/stagebook/docs/governance.md"
        raise StepError("\n".join(["these must not enter git:", *lines, advice]))


def find_past_leaks(root: Path, looked_at: set[str], max_kilobytes: int) -> dict[str, str]:
    """Return what looks like a secret in the commits since the base branch, and is in no file of the index any more."""
    if not (base := find_base(root)):
        return {}
    words = ["log", "--raw", "-z", "--no-renames", "--no-abbrev", "--relative", "--diff-filter=d", "-m", "--format="]
    fields = _git(root, *words, f"{base}..HEAD").replace(b"\0\n:", b"\0:").lstrip(b"\n").split(b"\0")[:-1]
    found = {}
    for about, name in zip(fields[::2], fields[1::2], strict=True):
        _, mode, _, blob, _ = about.decode().split()
        if mode.startswith("100") and blob not in looked_at:
            found.setdefault(blob, fsdecode(name))
    entries = [
        one
        for one in with_sizes(root, [(name, blob) for blob, name in found.items()])
        if one.size <= max_kilobytes * 1000
    ]
    problems = {}
    for entry, content in zip(entries, read_contents(root, entries), strict=True):
        if problem := leak_problem(entry.name, content):
            problems[f"{entry.name}, in a commit since {base[:12]}"] = f"{problem}. {IN_HISTORY}"
    return problems


IN_HISTORY = (
    "A later commit removed it, but the history keeps it: revoke the secret, then squash or rewrite the commits"
)


def find_base(root: Path) -> str | None:
    """Return the commit where this branch left the one that it will be merged into; None if there is no such branch.

    In pull and merge requests the platform names it; elsewhere it is the main branch of the remote.
    """
    target = find_target()
    for branch in [f"origin/{target}"] if target else ["origin/HEAD", "origin/main", "origin/master"]:
        words = ["git", "-C", root, "merge-base", branch, "HEAD"]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        if done.returncode == 0:
            return done.stdout.strip()
    if target and _git(root, "for-each-ref", "refs/remotes/origin"):
        raise StepError(
            f"the commits since origin/{target} cannot be checked for secrets, for this clone does not have them. "
            "Fetch all: `fetch-depth: 0` of actions/checkout, `GIT_DEPTH: 0` of GitLab, or `git fetch --unshallow`."
        )
    return None


def list_entries(root: Path, staged: bool) -> list[Entry]:
    """Return the files in the index below `root`, or those of them that differ from the last commit."""
    nothing = _git(root, "hash-object", "-t", "tree", "--stdin").decode().strip()
    options = ["--cached", "--raw", "-z", "--no-renames", "--no-abbrev", "--relative", "--diff-filter=d"]
    fields = _git(root, "diff", *options, *([] if staged else [nothing])).split(b"\0")[:-1]
    found, modules = [], []
    for about, name in zip(fields[::2], fields[1::2], strict=True):
        _, mode, _, blob, status = about.decode().split()
        if mode.startswith("100") and status != "U":  # no link, nothing that a merge has left open
            found.append((fsdecode(name), blob))
        elif mode == SUBMODULE:
            modules.append(Entry(fsdecode(name), blob, None))
    return with_sizes(root, found) + modules


def with_sizes(root: Path, found: list[tuple[str, str]]) -> list[Entry]:
    """Return an entry for each name and blob."""
    blobs = "".join(f"{blob}\n" for _, blob in found)
    sizes = _git(root, "cat-file", "--batch-check=%(objectsize)", given=blobs).split()
    return [Entry(name, blob, int(size)) for (name, blob), size in zip(found, sizes, strict=True)]


def read_contents(root: Path, entries: list[Entry]) -> list[bytes]:
    """Return what git has for each entry."""
    answer = _git(root, "cat-file", "--batch", given="".join(f"{entry.blob}\n" for entry in entries))
    contents, start = [], 0
    for entry in entries:
        start = answer.index(b"\n", start) + 1  # after the line that says id, type and size
        contents.append(answer[start : start + entry.size])
        start += entry.size + 1
    return contents


def _git(root: Path, *words: str, given: str = "") -> bytes:
    done = subprocess.run(["git", "-C", root, *words], input=given.encode(), capture_output=True, check=False)
    if done.returncode:
        raise StepError(f"git cannot say what is in {root}: {done.stderr.decode(errors='replace').strip()}")
    return done.stdout


def file_problem(entry: Entry, allow: list[str], max_kilobytes: int) -> str | None:
    """Say what is wrong with a file by its name and size."""
    path = PurePosixPath(entry.name.lower())
    if entry.size is None:
        allowed = any(fnmatchcase(entry.name, pattern) for pattern in allow)
        return None if allowed else "is a submodule, and what is in it is not checked. Copy what you need, or allow it"
    is_env = path.name == ".env" or path.name.startswith(".env.") or path.suffix == ".env"
    if is_env and not path.name.endswith(("example", "sample", "template")):
        return "holds secrets. Keep it on this machine; commit a .env.example with the names of the variables"
    if path.suffix in KEY_STORES:
        return "is a store of keys. Keep it where your team keeps secrets"
    if path.suffix in PICKLES:
        return PICKLE
    if not any(fnmatchcase(entry.name, pattern) for pattern in allow):
        if path.parts[0] in DVC_FOLDERS:
            return "belongs to DVC, which keeps the outputs in dvc.yaml by itself, and other files after `dvc add`"
        if DATA.fullmatch(path.suffix):
            return f"looks like data ({path.suffix}). Move it below data/ and `dvc add` it"
    if entry.size > max_kilobytes * 1000:
        return (
            f"has {entry.size / 1000:,.0f} kB, and the limit is {max_kilobytes:,}. Move it below data/ and `dvc add` it"
        )
    return None


PICKLE = "is a pickle, and loading one runs any code that is in it. Write ONNX or Parquet, and let DVC keep it"


def content_problem(name: str, content: bytes, allowed: bool = False) -> str | None:
    """Say what is wrong with a file by what is in it; data is no problem where the settings allow it."""
    if is_pickle(content):
        return PICKLE
    if not allowed and (kind := find_kind(name, content)):
        return f"looks like data ({kind}). Move it below data/ and `dvc add` it"
    return leak_problem(name, content)


def leak_problem(name: str, content: bytes) -> str | None:
    """Say where in a file something looks like a secret."""
    if leaks := find_leaks(name, content):
        more = f" and {len(leaks) - 3} more" if len(leaks) > 3 else ""
        return (
            f"{', '.join(leaks[:3])}{more} looks like a secret. Read it from an environment variable; "
            "if it is none, write `pragma: allowlist secret` in a comment on that line"
        )
    return None


def _printable(name: str) -> str:
    return name if name.isprintable() else ascii(name)
