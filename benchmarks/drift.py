"""Drift measured on streams and tables whose changes are known: python benchmarks/drift.py; river beside it if installed.

Prints the tables of library/stagebook/docs/drift.md. River needs no other package than numpy and scipy:
`uv pip install river==0.26.1` into an environment of its own that has stagebook, too.
"""

import importlib.util
import statistics
import time
from collections.abc import Callable, Iterator

import numpy as np
import pandas as pd
from scipy import stats
from scipy.special import expit
from sklearn.metrics import roc_auc_score
from stagebook.data.skew.moves import stability_index
from stagebook.evaluate.costs import Costs
from stagebook.model.task import Task
from stagebook.monitor.concept import detect_changes
from stagebook.monitor.drift import measure_drift
from stagebook.monitor.estimate import estimate_performance
from stagebook.monitor.label_shift import measure_label_shift

ROWS, AT, UNTIL, SEEDS = 10_000, 5_000, 7_000, 50
PATTERNS = ("sudden", "gradual", "incremental", "recurring")
RATES = ((0.1, 0.25), (0.2, 0.3), (0.03, 0.08))
TASK = Task("binary", "label", ["no", "yes"])
Detector = Callable[[np.ndarray, np.ndarray | None], list[int]]


def make_stream(pattern: str, seed: int, low: float, high: float) -> np.ndarray:
    """Return 1 for each row on which a model is wrong; the share of them changes at row 5,000, slowly until 7,000."""
    random, at = np.random.default_rng(seed), np.arange(ROWS)
    ramp = np.clip((at - AT) / (UNTIL - AT), 0, 1)
    share = {
        "none": np.full(ROWS, low),
        "sudden": np.where(at >= AT, high, low),
        "gradual": np.where(random.random(ROWS) < ramp, high, low),
        "incremental": low + (high - low) * ramp,
        "recurring": np.where((at >= AT) & (at < UNTIL), high, low),
    }[pattern]
    return (random.random(ROWS) < share).astype(float)


def make_days(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return a stream without a change whose rows of one day are alike: 40 days, 250 rows each; and the days."""
    random, days = np.random.default_rng(seed), np.arange(ROWS) // 250
    return (random.random(ROWS) < random.beta(4, 16, 40)[days]).astype(float), days


def find_own(stream: np.ndarray, days: np.ndarray | None) -> list[int]:
    return [change.found for change in detect_changes(stream, blocks=days)]


def list_detectors() -> Iterator[tuple[str, Detector]]:
    yield "stagebook", find_own
    if importlib.util.find_spec("river"):
        from river import drift

        def run(make: Callable) -> Detector:
            def find(stream: np.ndarray, _: np.ndarray | None) -> list[int]:
                detector, found = make(), []
                for row, value in enumerate(stream):
                    detector.update(value)
                    if detector.drift_detected:
                        found.append(row)
                return found

            return find

        yield "river ADWIN", run(drift.ADWIN)
        yield "river Page-Hinkley", run(drift.PageHinkley)


def time_detector(find: Detector) -> float:
    """Return microseconds per row."""
    stream, start = make_stream("none", 0, 0.1, 0.25), time.perf_counter()
    find(stream, None)
    return (time.perf_counter() - start) / ROWS * 1e6


def compare_detectors() -> None:
    """Print false alarms and delays of each detector."""
    print(f"| detector | false alarms per 10,000 rows | days alike | {' | '.join(PATTERNS)} | missed | us a row |")
    print("| --- " + "| ---: " * 8 + "|")
    for name, find in list_detectors():
        false = [len(find(make_stream("none", seed, low, low), None)) for low, _ in RATES for seed in range(SEEDS)]
        days = [len(find(*make_days(seed))) for seed in range(SEEDS)]
        delays, missed = [], 0
        for pattern in PATTERNS:
            found = [
                next((row - AT for row in find(make_stream(pattern, seed, low, high), None) if row >= AT), None)
                for low, high in RATES
                for seed in range(SEEDS)
            ]
            missed += sum(delay is None for delay in found)
            delays.append(f"{statistics.median(delay for delay in found if delay is not None):,.0f}")
        figures = [f"{np.mean(false):.3f}", f"{np.mean(days):.2f}", *delays, str(missed), f"{time_detector(find):.0f}"]
        print(f"| {name} | {' | '.join(figures)} |", flush=True)


def compare_tests() -> None:
    """Print how often this library and plain formulas (scipy; PSI by its definition) agree that a feature moved."""
    agree, ours, theirs, windows = 0, 0, 0, 0
    for seed in range(200):
        random = np.random.default_rng(seed)
        rows, shift = int(random.choice([30, 100, 1000, 10_000])), random.choice([0, 0, 0.1, 0.3, 0.5, 1, 2])
        now, before = random.normal(shift, 1, rows), random.normal(0, 1, 10_000)
        table = measure_drift(pd.DataFrame({"x": now}), {"r": pd.DataFrame({"x": before})}, {"x": "number"})
        edges = np.quantile(before, np.linspace(0.1, 0.9, 9))
        counts = [np.bincount(np.searchsorted(edges, values), minlength=10) for values in (before, now)]
        shares = [(count + 0.5) / (count.sum() + 5) for count in counts]
        psi = ((shares[1] - shares[0]) * np.log(shares[1] / shares[0])).sum() - 9 * (1 / rows + 1 / 10_000)
        other = stats.ks_2samp(now, before).pvalue < 0.01 and psi >= 0.1
        assert abs(stability_index(*counts) - psi - 9 * (1 / rows + 1 / 10_000)) < 1e-9
        own = bool(table["moved"].iloc[0])
        agree, ours, theirs, windows = agree + (own == other), ours + own, theirs + bool(other), windows + 1
    print(f"\nDrift verdicts on {windows} windows: {agree} agree with scipy ({ours} and {theirs} moved).")


def draw_rows(rows: int, seed: int, *, shift: float = 0, flip: bool = False) -> tuple:
    random = np.random.default_rng(seed)
    table = pd.DataFrame({"x": random.normal(shift, 1, rows), "z": random.normal(0, 1, rows)})
    probability = expit(1.5 * table["x"] + table["z"] - 1).to_numpy()
    true = expit(1.5 * table["x"] - table["z"] - 1).to_numpy() if flip else probability
    return table, probability, (random.random(rows) < true).astype(float)


def compare_estimates() -> None:
    """Print estimated and true ROC AUC and share of positives, where the assumption holds and where it does not."""
    before = draw_rows(5_000, 1)
    print("\n| window | estimated ROC AUC | true | share of yes by BBSE | true |\n| --- | --- | ---: | --- | ---: |")
    for name, how in {"as before": {}, "other rows": {"shift": 0.7}, "other concept": {"flip": True}}.items():
        table, probability, label = draw_rows(5_000, 2, **how)
        kinds = {"x": "number", "z": "number"}
        found = estimate_performance(TASK, table, probability, before, Costs(), kinds=kinds)[0]["roc_auc"]
        share = measure_label_shift(TASK, probability, before[1], before[2])["classes"]["yes"]
        auc = f"{found['value']:.3f} [{found['low']:.3f}, {found['high']:.3f}]"
        yes = f"{share['now']:.2f} [{share['low']:.2f}, {share['high']:.2f}]"
        print(f"| {name} | {auc} | {roc_auc_score(label, probability):.3f} | {yes} | {label.mean():.2f} |")


if __name__ == "__main__":
    compare_detectors()
    compare_tests()
    compare_estimates()
