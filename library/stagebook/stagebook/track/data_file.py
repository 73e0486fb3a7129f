"""A file of a step, as lineage names it."""

from dataclasses import dataclass

__all__ = ["DataFile"]


@dataclass(frozen=True)
class DataFile:
    """A file or folder that a step read or wrote, with the hash that DVC has in dvc.lock."""

    path: str
    md5: str
