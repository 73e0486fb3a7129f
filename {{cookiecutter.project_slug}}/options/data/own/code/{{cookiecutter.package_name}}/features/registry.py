"""The feature views of this project: none yet. vendor/stagebook/docs/feature_store.md shows how to write one."""

from stagebook.features.store import FeatureView

__all__ = ["VIEWS"]

VIEWS: tuple[FeatureView, ...] = ()
