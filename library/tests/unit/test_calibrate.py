"""The interval around a predicted value: its rank is exact, and it covers as often as it promises, for any number of rows."""

import numpy as np
import pytest
from scipy.stats import beta, kstest
from stagebook.model.calibrate import interval_half_width


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
