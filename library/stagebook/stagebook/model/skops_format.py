"""Fitted scikit-learn models as skops files: nothing in them is executed when they are read, unlike a pickle."""

import io
import re
import zipfile
from collections.abc import Sequence

from sklearn.pipeline import Pipeline

from .blend import members

__all__ = ["TRUSTED", "read_skops", "to_skops_bytes"]

# What the models of kinds.py hold beside what skops knows by itself: data types, no code. A project adds what its own kinds of
# model hold to `trusted_types` in pyproject.toml, [tool.stagebook].
TRUSTED = [
    "numpy.dtype",
    "skl2onnx.sklapi.cast_transformer.CastTransformer",
    "sklearn.calibration._CalibratedClassifier",
    "sklearn.calibration._SigmoidCalibration",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.model_selection._split.KFold",
    "sklearn.tree._tree.Tree",
]


def to_skops_bytes(model: Pipeline) -> bytes:
    """Return the model as a skops file, the same bytes for the same model.

    skops names its parts by their addresses in memory and stamps them with the time. Here they are numbered in the order
    in which they are mentioned, and bear the date at which zip files begin.
    """
    import skops.io  # takes 1 s, as it imports all of scikit-learn; most steps only read ONNX

    _forget_machine(model)
    with zipfile.ZipFile(io.BytesIO(skops.io.dumps(model))) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    schema, numbers = parts.pop("schema.json").decode(), {}

    def number(address: str) -> str:
        return numbers.setdefault(address, str(len(numbers)))

    schema = re.sub(r'(?<="__id__": )\d+|(?<=")\d+(?=\.npy")', lambda found: number(found[0]), schema)
    renamed = {re.sub(r"^\d+", lambda found: number(found[0]), name): content for name, content in parts.items()}
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for name, content in [*sorted(renamed.items()), ("schema.json", schema.encode())]:
            archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
    return target.getvalue()


def _forget_machine(model: Pipeline) -> None:
    """Remove what a fitted model knows of the process that fitted it, and does not need any more; in place."""
    for member in members(model):
        for encoder in member[0].named_transformers_.values():
            getattr(encoder, "__dict__", {}).pop("_stop_words_id", None)
        if bins := getattr(getattr(member[-1], "estimator", member[-1]), "_bin_mapper", None):
            bins.n_threads = 1


def read_skops(file, trusted: Sequence[str] = ()) -> Pipeline:
    """Return the model in a skops file; TypeError names what it holds beside `TRUSTED` and `trusted`."""
    import skops.io

    return skops.io.load(file, trusted=[*TRUSTED, *trusted])
