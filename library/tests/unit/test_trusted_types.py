"""A kind of model that a project wrote: its skops file is refused until the project trusts it, served without the library."""

import json
import os
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from samples import write_project
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import make_pipeline
from stagebook.model import predictor
from stagebook.model.package import load_model, package_parity, trusted_types, write_package
from stagebook.model.skops_format import TRUSTED
from stagebook.model.task import Task
from stagebook.project.errors import DataError
from stagebook.registry.register import register_once

VALUES = Task("regression", "y")
ROWS = pd.DataFrame({"x": np.arange(8.0)})
SERVE = """
import json, sys
from types import SimpleNamespace
import pandas as pd
sys.modules["stagebook"] = None  # an import of it fails
sys.path[:0] = [{folder!r}]
import {module}
source = open({predictor!r}).read()
names = {{"__name__": "served"}}
exec(source, names)
for config in json.loads(sys.argv[1]):
    context = SimpleNamespace(artifacts={{"model": {file!r}}}, model_config=config)
    served = names["Predictor"]()
    served.load_context(context)
    print(served.predict(context, pd.DataFrame({{"x": [1.0, 2.0]}}))["prediction"].tolist(), flush=True)
"""
OWN = '''
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils.validation import validate_data


class Doubler(RegressorMixin, BaseEstimator):
    """Predicts twice the first column."""

    def fit(self, X, y):
        validate_data(self, X)
        self.factor_ = 2.0
        return self

    def predict(self, X):
        return validate_data(self, X, reset=False)[:, 0] * self.factor_
'''


@pytest.fixture(scope="module")
def doubler(tmp_path_factory):
    """The folder of a module that only this test knows, and the type in it."""
    folder = tmp_path_factory.mktemp("own kind")
    (folder / "own_kind.py").write_text(OWN)
    sys.path.insert(0, str(folder))
    import own_kind

    yield folder, own_kind.Doubler
    sys.path.remove(str(folder))


def package(folder, doubler, settings):
    """Write a project that has such a model in models/candidate."""
    write_project(folder, settings)
    model = make_pipeline(ColumnTransformer([("all", "passthrough", [0])]), doubler()).fit(ROWS, 2 * ROWS["x"])
    found = write_package(folder / "models" / "candidate", model, ROWS, VALUES, 1.0)
    assert found["format"] == "skops" and found["why"]
    return folder / "models" / "candidate"


def test_own_type_is_refused_until_the_project_trusts_it(doubler, tmp_path):
    candidate = package(tmp_path, doubler[1], "")
    with pytest.raises(Exception, match=r"Untrusted types found.*own_kind\.Doubler"):
        load_model(candidate, VALUES)
    write_project(tmp_path, 'trusted_types = ["own_kind.Doubler"]\n')
    assert load_model(candidate, VALUES)(ROWS).tolist() == (2 * ROWS["x"]).tolist()
    assert package_parity(candidate, ROWS, VALUES) is None


def test_outside_a_project_no_own_type_is_trusted(tmp_path):
    assert trusted_types(tmp_path / "model.skops") == []


def test_a_package_without_a_model_is_named(tmp_path):
    with pytest.raises(DataError, match=r"has no model\. `dvc repro` makes it"):
        load_model(tmp_path, VALUES)


def served_config(file, monkeypatch):
    """Return what register_once has MLflow keep beside the model."""
    seen = {}

    class Stop(Exception):
        pass

    def log_model(**arguments):
        seen.update(arguments)
        raise Stop

    from stagebook.registry import register

    client = type("Client", (), {"search_model_versions": lambda *_: []})
    monkeypatch.setattr(register.mlflow, "MlflowClient", client)
    monkeypatch.setattr(register.mlflow.pyfunc, "log_model", log_model)
    with pytest.raises(Stop):
        register_once("m", file, ROWS, {"task": "regression", "classes": "[]"})
    assert seen["python_model"] == predictor.__file__
    return seen["model_config"]


def test_served_model_needs_the_own_type_and_not_the_library(doubler, tmp_path, monkeypatch):
    folder, kind = doubler
    file = package(tmp_path, kind, 'trusted_types = ["own_kind.Doubler"]\n') / "model.skops"
    config = served_config(file, monkeypatch)
    assert json.loads(config["trusted_types"]) == [*TRUSTED, "own_kind.Doubler"]
    words = {"folder": str(folder), "module": "own_kind", "predictor": predictor.__file__}
    code = SERVE.format(**words, file=str(file))

    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    configs = [config, config | {"trusted_types": json.dumps(TRUSTED)}]
    command = [sys.executable, "-c", code, json.dumps(configs)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=environment, check=False)
    assert done.stdout == "[2.0, 4.0]\n", done.stderr
    assert done.returncode and "own_kind.Doubler" in done.stderr.splitlines()[-1], "the second has not the own type"
