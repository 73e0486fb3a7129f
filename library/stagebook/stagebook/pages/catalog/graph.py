"""What dvc.yaml and dvc.lock say: the steps, and the data and models that they read and write."""

from dataclasses import dataclass
from pathlib import Path

from dvc.repo import Repo

from ...step.stage import stages_of

__all__ = ["Graph", "Output", "Step", "read_graph"]


@dataclass(frozen=True)
class Step:
    """A stage of dvc.yaml; `reads` and `writes` are data, models, and the reports that another step reads."""

    name: str
    description: str
    notebook: str
    reads: tuple[str, ...]
    writes: tuple[str, ...]


@dataclass(frozen=True)
class Output:
    """A file or folder that a step writes; hash and size are those of dvc.lock, None if it was never written."""

    path: str
    md5: str | None
    size: int | None
    here: bool  # as dvc.lock has it; only asked for files that a page is made from

    @property
    def is_table(self) -> bool:
        """Whether the file has columns to show."""
        return self.path.startswith("data/") and self.path.endswith(".parquet")


@dataclass(frozen=True)
class Graph:
    """The pipeline."""

    steps: tuple[Step, ...]
    outputs: dict[str, Output]

    def writer(self, path: str) -> Step:
        """Return the step that writes `path`."""
        return next(step for step in self.steps if path in step.writes)

    def readers(self, path: str) -> list[Step]:
        """Return the steps that read `path`."""
        return [step for step in self.steps if path in step.reads]


REGISTRATION = "reports/registration.json"  # which version of which model came out
SOURCE = "data/raw/source.json"  # where the raw tables come from


def read_graph(root: Path, look_at_files: bool = False) -> Graph:
    """Read dvc.yaml and dvc.lock; what `dvc add` took is part of it if a step reads it.

    Parameters
    ----------
    root : Path
    look_at_files : bool
        Compare the files that pages are made from with dvc.lock; else `Output.here` is False for all.
    """
    with Repo(str(root)) as repo:
        stages = list(stages_of(repo).values())
        read = {_path(root, dep) for stage in stages for dep in stage.deps}
        stages = [stage for stage in stages if stage.cmd or read & {_path(root, out) for out in stage.outs}]
        outs = {_path(root, out): out for stage in stages for out in stage.outs}
        kept = {path for path in outs if path.startswith(("data/", "models/")) or path in {*read, REGISTRATION}}
        steps = tuple(_step(root, stage, kept) for stage in stages)
        in_order = [path for step in steps for path in step.writes]
        return Graph(steps, {path: _output(path, outs[path], look_at_files) for path in in_order})


def _path(root: Path, item) -> str:
    file = Path(item.fs_path)
    return file.relative_to(root).as_posix() if file.is_relative_to(root) else file.as_posix()


def _step(root: Path, stage, kept: set[str]) -> Step:
    reads = [_path(root, dep) for dep in stage.deps]
    writes = sorted({_path(root, out) for out in stage.outs} & kept)
    notebook = next((path for path in reads if path.endswith(".ipynb")), "")
    return Step(stage.addressing, stage.desc or "", notebook, tuple(sorted(set(reads) & kept)), tuple(writes))


def _output(path: str, out, look: bool) -> Output:
    md5 = out.hash_info.value if out.hash_info else None
    output = Output(path, md5, out.meta.size if out.meta else None, False)
    needed = look and md5 and (output.is_table or path in (REGISTRATION, SOURCE))
    return Output(path, md5, output.size, bool(needed and out.exists and out.get_hash().value == md5))
