"""The trained candidate behaves, for every kind of task. Skipped until the pipeline (or `dvc pull`) has brought it."""

import json

import numpy as np
import pandas as pd
import pytest
from stagebook.evaluate.metrics import PRIMARY
from stagebook.model.task import read_task, split_columns


@pytest.fixture(scope="module")
def task(root, candidate):
    return read_task(root / "data" / "interim" / "task.json")


@pytest.fixture(scope="module")
def rows(root, task):
    table = pd.read_parquet(root / "data" / "processed" / "holdout.parquet").head(200)
    return split_columns(table, task, "holdout.parquet")[0]


def test_a_champion_beats_the_baselines(root, task):
    metrics, decision = (
        json.loads((root / "reports" / f"{name}.json").read_text()) for name in ("metrics", "registration")
    )
    figure, sign = PRIMARY[task.kind]
    if decision["alias"] == "champion":
        others = [sign * metrics[model][figure] for model in ("baseline", "trivial")]
        assert sign * metrics["candidate"][figure] > max(others)


def test_predictions_are_what_the_task_asks_for(candidate, task, rows):
    prediction = candidate(rows)
    assert prediction.shape == ((len(rows), len(task.classes)) if task.kind == "multiclass" else (len(rows),))
    assert np.isfinite(prediction).all()
    if task.kind != "regression":
        assert ((prediction >= 0) & (prediction <= 1)).all()
    if task.kind == "multiclass":
        np.testing.assert_allclose(prediction.sum(axis=1), 1, atol=1e-5)


def test_a_row_gets_the_same_answer_alone_and_in_company(candidate, rows):
    alone = np.concatenate([candidate(rows.iloc[[row]]) for row in range(min(10, len(rows)))])
    np.testing.assert_allclose(alone, candidate(rows)[:10], rtol=1e-5, atol=1e-6)


def test_unknown_category_and_missing_number_are_no_error(candidate, rows):
    strange = {name: np.float32("nan") if rows[name].dtype == "float32" else "never seen" for name in rows}
    assert np.isfinite(candidate(rows.assign(**strange))).all()
