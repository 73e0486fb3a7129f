"""The artefact that is deployed: the champion, the project's code, the library and the settings, under one hash."""

import hashlib
import json
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from .. import __version__
from ..project.errors import StepError
from ..project.files import replace_folder, write_json
from ..request.contract import FILE as CONTRACT
from ..serve.package import ABOUT, CARD
from .champion import Champion, make_vector

__all__ = ["FACTS", "LIBRARY", "MODEL", "VECTOR", "Artefact", "build_artefact", "hash_files", "read_artefact"]

FACTS, VECTOR, MODEL, LIBRARY = "artefact.json", "vector.json", "model", "library"
PLAIN = ("pyproject.toml", "params.yaml", "dvc.yaml", "docs/requirements.yaml")
LABELS = {FACTS, VECTOR, f"{MODEL}/{ABOUT}", f"{MODEL}/{CARD}"}  # tell of the artefact, and are no part of its hash
LEFT = shutil.ignore_patterns("__pycache__", ".*", "*.egg-info")


@dataclass(frozen=True)
class Artefact:
    """What is deployed.

    Attributes
    ----------
    digest : str
        SHA-256 of the names and contents of its files.
    model, version : str, int
        Name and version in the registry.
    commit : str
        Of the code, with `+changes` if files differed from it; empty outside of git.
    library : str
        Version of stagebook.
    folder : Path
        Where its files are.
    """

    digest: str
    model: str
    version: int
    commit: str
    library: str
    folder: Path

    @property
    def short(self) -> str:
        """The digest as people compare it."""
        return self.digest[:12]


def build_artefact(root: Path, champion: Champion, folder: Path) -> Artefact:
    """Write the artefact of a champion and of the code as it is now to `folder`/<digest>; the same content gives the same digest."""
    made = folder / "new"
    with replace_folder(made) as new:
        for name in PLAIN:
            if (root / name).is_file():
                (new / name).parent.mkdir(exist_ok=True)
                shutil.copyfile(root / name, new / name)
        if (root / "environments").is_dir():  # pinned versions, and how images are made
            shutil.copytree(root / "environments", new / "environments", ignore=LEFT)
        shutil.copytree(root / "code", new / "code", ignore=LEFT)
        shutil.copytree(Path(__file__).parents[1], new / LIBRARY / "stagebook", ignore=LEFT)
        _write_model(champion, new / MODEL)
        write_json(make_vector(champion.package), new / VECTOR)
    digest = hash_files(made)
    facts = {"digest": digest, "model": champion.package.name, "version": champion.number}
    write_json(facts | {"commit": find_commit(root), "library": __version__}, made / FACTS)
    shutil.rmtree(folder / digest, ignore_errors=True)  # equal, unless somebody edited it
    made.replace(folder / digest)
    return read_artefact(folder / digest)


def _write_model(champion: Champion, folder: Path) -> None:
    """Write the model as the service opens it, without what only the registry knows: ids, times and places."""
    package = champion.package
    folder.mkdir()
    shutil.copyfile(package.file, folder / package.file.name)
    shutil.copyfile(package.file.parent / CONTRACT, folder / CONTRACT)
    write_json({"flavors": {"python_function": {"config": package.config}}}, folder / "MLmodel")
    write_json(package.about, folder / ABOUT)
    if package.card:
        shutil.copyfile(package.card, folder / CARD)


def hash_files(folder: Path) -> str:
    """Return the SHA-256 of names and contents of the files that count."""
    whole = hashlib.sha256()
    for name, file in sorted(_files(folder)):
        whole.update(f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {name}\n".encode())
    return whole.hexdigest()


def _files(folder: Path) -> Iterator[tuple[str, Path]]:
    for file in folder.rglob("*"):
        name = file.relative_to(folder).as_posix()
        if (
            file.is_file()
            and name not in LABELS
            and not {"__pycache__", ".local"} & set(file.relative_to(folder).parts)
        ):
            yield name, file


def read_artefact(folder: Path) -> Artefact:
    """Return what a folder with an artefact says of itself; StepError if its files are not those of its digest."""
    try:
        facts = json.loads((folder / FACTS).read_text(encoding="utf-8"))
        found = Artefact(**facts, folder=folder)
    except (OSError, ValueError, TypeError) as error:
        raise StepError(f"{folder} has no artefact that can be read: {error}. Deploy it again.") from error
    if hash_files(folder) != found.digest:
        raise StepError(f"{folder}: files were changed after the artefact {found.short} was made. Deploy it again.")
    return found


def find_commit(root: Path) -> str:
    """Return the commit of the working copy, with `+changes` if code or settings differ from it; empty outside of git."""

    def git(*words: str) -> str:
        done = subprocess.run(["git", *words], cwd=root, capture_output=True, text=True, check=False)
        return done.stdout.strip() if done.returncode == 0 else ""

    commit = git("rev-parse", "--short=12", "HEAD")
    changed = commit and git("status", "--porcelain", "--", "code", "vendor", *PLAIN)
    return f"{commit}+changes" if changed else commit
