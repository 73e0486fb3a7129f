"""The feature views of this project: none yet. docs/feature_store.md shows how to write one."""

from .store import FeatureView

__all__ = ["VIEWS"]

VIEWS: tuple[FeatureView, ...] = ()
