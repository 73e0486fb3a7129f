"""What MLflow loads for the registered model, without this package and without pickle: ONNX, or skops where there is none."""

import json
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd


class Predictor(mlflow.pyfunc.PythonModel):
    """Answer as the model's task is: see `predict`."""

    def load_context(self, context):
        """Open the model file that was registered with this code.

        The `model_config` it was registered with says what it is, all as texts: task, classes (JSON), threshold or
        interval_half_width if there is one, and for a skops file trusted_types (JSON): the types that may be in it.
        """
        path, self.about = Path(context.artifacts["model"]), dict(context.model_config)
        if path.suffix == ".skops":
            import skops.io

            self.model = skops.io.load(path, trusted=json.loads(self.about["trusted_types"]))
            return
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1  # more wait for each other more than they help, and services run many at once
        self.model = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])

    def predict(self, context, model_input: pd.DataFrame) -> pd.DataFrame:
        """Return a row per row of `model_input`.

        binary: `probability` of the second class, and `prediction`, a class, if the model has a threshold.
        multiclass: `probability_<class>` for each class, and `prediction`, the most probable one.
        regression: `prediction`, with `lower` and `upper` if the model has an interval.
        """
        values, classes = self._values(model_input), json.loads(self.about["classes"])
        if classes:
            values = values.clip(0, 1)  # a sum of float32 shares may come to 1.0000001
        if self.about["task"] == "multiclass":
            table = pd.DataFrame(values, columns=[f"probability_{name}" for name in classes])
            return table.assign(prediction=np.array(classes, object)[values.argmax(axis=1)])
        if self.about["task"] == "binary":
            table = pd.DataFrame({"probability": values[:, -1]})
            if "threshold" not in self.about:
                return table
            above = values[:, -1] >= float(self.about["threshold"])
            return table.assign(prediction=np.array(classes, object)[above.astype(int)])
        table = pd.DataFrame({"prediction": values[:, 0]})
        if "interval_half_width" not in self.about:
            return table
        half = float(self.about["interval_half_width"])
        return table.assign(lower=table["prediction"] - half, upper=table["prediction"] + half)

    def _values(self, rows: pd.DataFrame) -> np.ndarray:
        """Return the model's output of shape (n_rows, n_outputs)."""
        if hasattr(self.model, "predict_proba"):
            return self.model.predict_proba(rows)
        if hasattr(self.model, "predict"):
            return self.model.predict(rows)[:, None]
        return self.model.run([self.model.get_outputs()[-1].name], self._feed(rows))[0]

    def _feed(self, rows: pd.DataFrame) -> dict[str, np.ndarray]:
        """Return the inputs of shape (n_rows, 1), all columns of a type taken out at once."""
        dtypes, feed = {"tensor(float)": np.float32, "tensor(string)": object}, {}
        for kind, dtype in dtypes.items():
            names = [node.name for node in self.model.get_inputs() if node.type == kind]
            table = rows[names].to_numpy(dtype=dtype)
            feed |= {name: table[:, [place]] for place, name in enumerate(names)}
        return feed


mlflow.models.set_model(Predictor())
