"""The model file must say what the model says, and be the same bytes in every process."""

import hashlib
import os
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from {{ cookiecutter.package_name }}.models.onnx_format import check_parity, predict_onnx, to_onnx_bytes
from {{ cookiecutter.package_name }}.models.train import fit_baseline, fit_candidate


def toy():
    """Sixty flights with a number that has gaps, a text, and a label that depends on the number."""
    hour = np.arange(60, dtype="float32") % 24
    frame = pd.DataFrame({"hour": hour, "carrier": ["AA", "UA", "B6"] * 20})
    return frame.mask(frame["hour"] == 5, other=np.float32("nan")).assign(carrier=frame["carrier"]), hour > 12


def fit_both():
    frame, label = toy()
    settings = {"max_iter": 5, "min_samples_leaf": 5, "random_state": 0}
    return fit_baseline(frame, label), fit_candidate((frame, label), (frame, label), **settings)


def test_onnx_says_what_the_model_says():
    frame, _ = toy()
    for model in fit_both():
        onnx = to_onnx_bytes(model, frame)
        np.testing.assert_allclose(predict_onnx(onnx, frame), model.predict_proba(frame)[:, 1], atol=1e-5)


def test_a_conversion_that_is_not_truthful_is_refused():
    frame, _ = toy()
    baseline, candidate = fit_both()
    with pytest.raises(ValueError, match="probabilities differ by"):
        check_parity(baseline, to_onnx_bytes(candidate, frame), frame)


def test_a_column_that_the_model_needs_is_named():
    frame, _ = toy()
    onnx = to_onnx_bytes(fit_both()[0], frame)
    with pytest.raises(KeyError, match="carrier"):
        predict_onnx(onnx, frame[["hour"]])


def test_bytes_do_not_depend_on_the_process():
    def digest(seed):
        command = [sys.executable, __file__]
        return subprocess.run(
            command, env=os.environ | {"PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True
        ).stdout

    assert len({digest(seed) for seed in ("1", "3")}) == 1  # differed once


if __name__ == "__main__":
    print(*(hashlib.md5(to_onnx_bytes(model, toy()[0])).hexdigest() for model in fit_both()))
