"""The kinds of model that `train.candidates` in params.yaml may name. Add your own to `MODELS`."""

# A kind of your own is a `ModelKind`: how it is fitted, where the search looks, which settings it has.
# vendor/stagebook/docs/models.md shows one.

from stagebook.model.blend import blend_kinds
from stagebook.model.kinds import HIST_GRADIENT_BOOSTING, LINEAR, RANDOM_FOREST, ModelKind

__all__ = ["MODELS"]

MODELS: dict[str, ModelKind] = {
    "linear": LINEAR,
    "hist_gradient_boosting": HIST_GRADIENT_BOOSTING,
    "random_forest": RANDOM_FOREST,
}
MODELS["blend"] = blend_kinds(MODELS)
