"""The interval around a value: its rank is exact, it covers as often as it promises. Recalibration copes with rare classes."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import beta, kstest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.frozen import FrozenEstimator
from stagebook.model.calibrate import interval_half_width, recalibrate
from stagebook.model.kinds import LINEAR, fit
from stagebook.model.task import Task


@pytest.mark.parametrize(
    ("rows", "confidence", "rank"),
    [
        (124, 0.9, 113),  # (124 + 1) * 0.9 = 112.5, and up
        (999, 0.9, 900),  # exactly 900: floating point must not make it 901
        (99, 0.9, 90),
        (19, 0.95, 19),
        (9, 0.9, 9),
        (8, 0.9, 8),  # the ninth of eight: the largest
        (3, 0.9, 3),
        (1, 0.9, 1),
    ],
)
def test_half_width_is_the_error_of_this_rank(rows, confidence, rank):
    errors = np.random.default_rng(rows).permutation(np.arange(1.0, rows + 1))
    signs = np.resize([1, -1], rows)
    assert interval_half_width(np.zeros(rows), errors * signs, confidence) == rank


@pytest.mark.parametrize(("rows", "confidence"), [(50, 0.9), (124, 0.9), (400, 0.8)])
def test_coverage_is_in_the_exact_band_for_so_few_rows(rows, confidence):
    # Errors are uniform on 0..1, so the share of future rows in the interval is its half-width. Over many validation
    # splits it follows the beta distribution of an order statistic, and is `confidence` or a little more on average.
    random = np.random.default_rng(0)
    coverage = [interval_half_width(np.zeros(rows), random.random(rows), confidence) for _ in range(2000)]
    rank = int(np.ceil(round((rows + 1) * confidence, 9)))
    exact = beta(rank, rows + 1 - rank)
    assert kstest(coverage, exact.cdf).pvalue > 0.01
    assert confidence <= exact.mean() < confidence + 1 / (rows + 1)
    assert abs(np.mean(coverage) - exact.mean()) < 4 * exact.std() / np.sqrt(len(coverage))


def overconfident(rare):
    """A model that separates noise too well, rows that it has not seen with `rare` of the last class, and others."""
    random = np.random.default_rng(0)
    label = pd.Series([0] * 30 + [1] * 30 + [2] * 9 + [2] * rare, dtype="int8")
    features = pd.DataFrame({"a": label + random.normal(0, 1.5, len(label))}).astype("float32")
    seen, unseen = slice(0, 69, 2), [*range(1, 60, 2), *range(69, 69 + rare)]
    task = Task("multiclass", "y", ["low", "middle", "high"])
    model = fit(LINEAR, (features[seen], label[seen]), (features, label), task, 0, {"C": 1e6})
    return model, (features.iloc[unseen], label.iloc[unseen]), (features, label), task


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("rare", [1, 4])
def test_a_class_of_few_rows_is_recalibrated_without_a_warning_and_as_by_default(rare, monkeypatch):
    model, unseen, validation, task = overconfident(rare)
    monkeypatch.setattr("stagebook.model.calibrate.MIN_GAIN", -np.inf)
    moved, report = recalibrate(model, model, unseen, validation, task)
    assert report["needed"]
    assert moved[-1].cv is None, "else the rows are in the package"
    default = CalibratedClassifierCV(FrozenEstimator(model[-1]), method="sigmoid")
    with pytest.warns(UserWarning, match="least populated class"):
        default.fit(model[:-1].transform(unseen[0]), unseen[1])
    assert moved.predict_proba(validation[0]) == pytest.approx(
        default.predict_proba(model[:-1].transform(validation[0]))
    )


def test_a_class_that_is_lacking_leaves_the_model_as_it_is():
    model, unseen, validation, task = overconfident(0)
    assert recalibrate(model, model, unseen, validation, task) == (model, {"needed": False})
