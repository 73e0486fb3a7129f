"""What DVC knows of a step: its inputs, its outputs, their hashes, and how to bring the last good ones back."""

from pathlib import Path

from dvc.exceptions import DvcException
from dvc.repo import Repo

from ..project.errors import StepError
from ..project.root import find_pipelines
from ..track.data_file import DataFile

__all__ = [
    "input_files",
    "locked_hash",
    "metrics_files",
    "output_files",
    "restore_outputs",
    "stage_of",
    "stages_of",
]


def stages_of(repo: Repo) -> dict:
    """Return the stages of the main pipeline by name, with all variables resolved, and what `dvc add` took."""
    side = [folder for folder in find_pipelines(Path(repo.root_dir)) if folder != Path(repo.root_dir)]
    return {stage.addressing: stage for stage in _all_stages(repo) if Path(stage.path).parent not in side}


def stage_of(repo: Repo, step: str, pipeline: Path | None = None):
    """Return the stage `step` of the dvc.yaml in the folder `pipeline`, the project's unless given."""
    folder = pipeline or Path(repo.root_dir)
    found = {stage.name: stage for stage in _all_stages(repo) if Path(stage.path) == folder / "dvc.yaml"}
    if step not in found:
        file = (folder / "dvc.yaml").relative_to(repo.root_dir).as_posix()
        raise StepError(f"{file} has no stage `{step}`; it has {', '.join(found)}.")
    return found[step]


def _all_stages(repo: Repo) -> list:
    try:
        return list(repo.index.stages)
    except DvcException as error:
        raise StepError(f"dvc.yaml cannot be used: {error}") from error


def input_files(repo: Repo, stage) -> list[DataFile]:
    """Return the data that the stage reads. Code, notebooks and parameters are not data: git has them."""
    written_by_some_stage = {out.fs_path for out in repo.index.outs}
    return _hashed(repo, [dep for dep in stage.deps if dep.fs_path in written_by_some_stage])


def output_files(repo: Repo, stage) -> list[DataFile]:
    """Return what the stage has written."""
    return _hashed(repo, stage.outs)


def _hashed(repo: Repo, items) -> list[DataFile]:
    root = Path(repo.root_dir)
    return [
        DataFile(Path(item.fs_path).relative_to(root).as_posix(), item.get_hash().value)
        for item in items
        if item.exists
    ]


def locked_hash(root: Path, path: str) -> str:
    """Return the hash of the output `path` in dvc.lock."""
    with Repo(str(root)) as repo:
        hashes = {Path(out.fs_path).relative_to(root).as_posix(): out.hash_info.value for out in repo.index.outs}
    wanted = Path(path)
    if wanted.is_absolute():
        wanted = wanted.relative_to(root)
    md5 = hashes.get(wanted.as_posix())
    if md5 is None:
        known = ", ".join(sorted(path for path, value in hashes.items() if value)) or "nothing yet"
        raise StepError(f"{path} is not an output in dvc.lock, which has {known}.")
    return md5


def metrics_files(stage) -> list[Path]:
    """Return the outputs that dvc.yaml calls metrics."""
    return [Path(out.fs_path) for out in stage.outs if out.metric]


def restore_outputs(stage) -> list[str]:
    """Bring the outputs of the last good run back from DVC's cache.

    DVC removes a stage's outputs before it runs, so a failed step would otherwise leave none. Returns their paths.
    """
    restored = []
    for out in stage.outs:
        if out.hash_info and not out.changed_cache():
            out.checkout(force=True)
            restored.append(str(out))
    return restored
