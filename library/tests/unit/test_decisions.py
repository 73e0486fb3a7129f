"""What errors cost decides, how sure a figure is is said, and a package is the model or says that it is not."""

import numpy as np
import pandas as pd
import pytest
from samples import MODELS
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, TargetEncoder
from stagebook.evaluate.bootstrap import bootstrap, draw_rows, score_draws
from stagebook.evaluate.costs import Costs
from stagebook.evaluate.decisions import cost_curve, cost_matrix, cost_per_row, decide, find_threshold, measure_value
from stagebook.evaluate.metrics import calibration_error, score
from stagebook.model.calibrate import interval_half_width, recalibrate
from stagebook.model.kinds import HIST_GRADIENT_BOOSTING, LINEAR, RANDOM_FOREST, choose_models, fit
from stagebook.model.package import load_model, model_file, package_parity, write_package
from stagebook.model.task import Task
from stagebook.project.errors import DataError

BINARY = Task("binary", "late", ["on time", "late"])
THREE = Task("multiclass", "part", ["a", "b", "c"])
COSTS = {"on time": {"late": 20.0}, "late": {"on time": 100.0, "late": 40.0}}


def test_threshold_is_where_acting_begins_to_pay():
    costs = cost_matrix(COSTS, BINARY)
    assert find_threshold(costs) == 0.25
    assert decide(BINARY, np.array([0.2, 0.24, 0.26, 0.9]), costs).tolist() == [0, 0, 1, 1]
    label, said = np.array([0, 1, 0, 1]), np.array([0.1, 0.1, 0.9, 0.9])
    assert cost_per_row(BINARY, label, said, COSTS) == (0 + 100 + 20 + 40) / 4
    assert cost_curve(label, {"candidate": said}, costs)["candidate"].iloc[[0, 50, 100]].tolist() == [30, 40, 50]


def test_without_costs_each_error_costs_one():
    assert find_threshold(cost_matrix({}, BINARY)) == 0.5
    assert cost_per_row(THREE, np.array([0, 1, 2, 2]), np.eye(3)[[0, 1, 1, 2]], {}) == 0.25
    value = Task("regression", "price")
    assert cost_per_row(value, np.array([1.0, 1.0]), np.array([3.0, 0.0]), {}) == 1.5
    assert cost_per_row(value, np.array([1.0, 1.0]), np.array([3.0, 0.0]), {"too_high": 5.0, "too_low": 0.0}) == 5.0


def test_with_three_classes_the_cheapest_decision_need_not_be_the_most_probable():
    matrix = {"a": {"b": 1, "c": 1}, "b": {"a": 1, "c": 1}, "c": {"a": 50, "b": 50}}
    said = np.array([[0.6, 0.3, 0.1], [0.6, 0.4, 0.0]])
    assert decide(THREE, said, cost_matrix(matrix, THREE)).tolist() == [2, 0]


def test_value_is_said_against_the_one_decision_that_costs_least_without_a_model():
    costs = Costs("EUR", "row", {"on time": {"late": 1.0}, "late": {"on time": 3.0}})
    told = {"trivial": np.full(4, 0.2), "candidate": np.array([0.1, 0.3, 0.3, 0.9])}
    found = measure_value(BINARY, np.array([0, 0, 1, 1]), told, costs)
    assert found["threshold"] == 0.25 and found["cost"] == {"no model": 1.5, "candidate": 0.25}
    assert (found["currency"], found["per"]) == ("EUR", "row")


def test_calibration_error_is_how_far_probability_and_share_are_apart():
    assert calibration_error(BINARY, np.array([0, 1] * 50), np.full(100, 0.5), 10) == 0.0
    assert calibration_error(BINARY, np.array([0, 0, 0, 1] * 25), np.full(100, 0.5), 10) == 0.25
    assert calibration_error(THREE, np.array([0, 1, 2, 0]), np.eye(3)[[0, 1, 2, 1]], 2) == 0.25


@pytest.mark.parametrize(
    ("model", "given", "words"),
    [
        ("xgb", {}, "no model 'xgb', but linear,"),
        ("linear", {"linear": {"c": 1}}, r"`train\.linear`: there is no setting 'c'"),
    ],
)
def test_model_or_setting_that_is_not_known_is_named(model, given, words):
    with pytest.raises(DataError, match=rf"params\.yaml.*{words}"):
        choose_models(MODELS, model, [], given)
    assert choose_models(MODELS, "best", ["linear"], {"linear": {"C": 2.0}}) == {"linear": {"C": 2.0}}


@pytest.mark.parametrize(
    ("matrix", "words"),
    [({"late": {"soon": 5.0}}, "'soon'"), ({"late": {"late": 5.0}}, "each wrong decision must cost more")],
)
def test_costs_that_make_no_sense_are_named(matrix, words):
    with pytest.raises(DataError, match=rf"requirements\.yaml.*costs\.matrix.*{words}"):
        cost_matrix(matrix, BINARY)


def test_interval_holds_the_value_as_often_as_it_says():
    random = np.random.default_rng(0)
    value, error = random.normal(size=4000), random.normal(size=4000)
    half = interval_half_width(value[:2000], value[:2000] + error[:2000], 0.9)
    covered = np.abs(error[2000:]) <= half
    assert covered.mean() == pytest.approx(0.9, abs=0.02)
    assert interval_half_width(np.zeros(3), np.array([1.0, -2.0, 0.5]), 0.9) == 2.0, "three rows: the largest error"


def test_overconfident_model_is_recalibrated_and_a_good_one_is_left_alone():
    random = np.random.default_rng(1)
    frame = pd.DataFrame(random.normal(size=(3000, 8)).astype("float32")).rename(columns=str)
    label = pd.Series((frame["0"] + random.logistic(size=3000) > 0).astype(int))
    rows = [(frame[part], label[part]) for part in (slice(0, 999), slice(1000, 1999), slice(2000, 2999))]
    greedy = {
        "max_iter": 200,
        "max_leaf_nodes": 60,
        "min_samples_leaf": 2,
        "learning_rate": 0.5,
        "n_iter_no_change": 300,
    }
    model = fit(HIST_GRADIENT_BOOSTING, rows[0], rows[0], BINARY, 0, greedy)
    better, figures = recalibrate(model, model, rows[1], rows[2], BINARY)
    assert figures["needed"] and figures["loss_after"] < 0.8 * figures["loss_before"]
    assert better is not model
    honest = fit(LINEAR, rows[0], rows[0], BINARY, 0, {})
    same, figures = recalibrate(honest, honest, rows[1], rows[2], BINARY)
    assert same is honest and not figures["needed"]


def test_bootstrap_interval_shrinks_with_rows_and_grows_with_days_that_are_alike():
    random = np.random.default_rng(2)
    day = np.repeat(np.arange(50), 40)
    value = random.normal(size=50)[day] + 0.1 * random.normal(size=2000)

    def width(blocks, rows=2000):
        samples = draw_rows(blocks, rows, 200, seed=0)
        low, high = bootstrap(lambda positions: {"mean": value[positions].mean()}, samples, 0.9)["mean"]
        assert low < value[:rows].mean() < high
        return high - low

    assert width(None) < 0.6 * width(None, rows=400)
    assert width(day) > 3 * width(None), "rows of one day are not so many independent ones"


@pytest.mark.parametrize("digits", [1, 8], ids=["ties", "no ties"])
def test_metrics_of_a_draw_are_those_of_its_rows(digits):
    random = np.random.default_rng(3)
    probability = random.random(2000).round(digits)
    label = (random.random(2000) < probability).astype(int)
    counted = score_draws(BINARY, label, probability)
    draws = [*draw_rows(None, 2000, 50, seed=0), np.flatnonzero(label == 1), np.flatnonzero(label == 0)]
    for rows in draws:
        assert list(counted(rows).items()) == list(score(BINARY, label[rows], probability[rows]).items())


def test_own_metrics_have_intervals_too():
    label, probability = np.array([0, 1, 1]), np.array([0.2, 0.6, 0.9])
    own = {"mean": lambda label, prediction: prediction.mean()}
    assert score_draws(BINARY, label, probability, own)(np.array([0, 1]))["mean"] == 0.4


def toy():
    frame = pd.DataFrame({"hour": np.arange(200, dtype="float32") % 24, "carrier": ["AA", "UA"] * 100})
    return frame.astype({"carrier": "str"}), pd.Series((np.arange(200) % 24 > 12).astype(int))


def test_package_of_a_model_that_onnx_can_repeat(tmp_path):
    rows = toy()
    model = fit(RANDOM_FOREST, rows, rows, BINARY, 0, {"n_estimators": 5})
    assert write_package(tmp_path, model, rows[0], BINARY, 1.0)["format"] == "onnx"
    assert model_file(tmp_path).name == "model.onnx"
    assert package_parity(tmp_path, rows[0], BINARY) < 1e-5
    says = load_model(tmp_path, BINARY)(rows[0])
    np.testing.assert_allclose(says, model.predict_proba(rows[0])[:, 1], atol=1e-6)


def test_model_that_onnx_cannot_repeat_truthfully_is_packaged_as_skops(tmp_path):
    frame, label = toy()
    label = label + (frame["hour"] > 18)
    encoder = TargetEncoder(target_type="multiclass")  # ONNX has none for three classes
    columns = ColumnTransformer([("many", encoder, [1]), ("number", "passthrough", [0])])
    model = make_pipeline(columns, LogisticRegression()).fit(frame, label)
    found = write_package(tmp_path, model, frame, THREE, 1.0)
    assert found["format"] == "skops" and found["why"]
    assert model_file(tmp_path).name == "model.skops" and package_parity(tmp_path, frame, THREE) is None
    np.testing.assert_array_equal(load_model(tmp_path, THREE)(frame), model.predict_proba(frame))


def test_code_in_a_skops_file_is_not_run(tmp_path):
    rows = toy()
    model = make_pipeline(fit(LINEAR, rows, rows, BINARY, 0, {})[0], FunctionTransformer(func=print))
    import skops.io

    (tmp_path / "model.skops").write_bytes(skops.io.dumps(model))
    with pytest.raises(Exception, match=r"Untrusted types found.*print"):
        load_model(tmp_path, BINARY)
