"""What MLflow loads for the registered model: ONNX behind `predict`, without this package and without pickle."""

import json

import mlflow
import numpy as np
import onnxruntime
import pandas as pd


class OnnxPredictor(mlflow.pyfunc.PythonModel):
    """Probability of the second class, probability of each class, or the value: as the model's task is."""

    def load_context(self, context):
        """Open the ONNX file that was registered with this code."""
        path = context.artifacts["model"]
        self.session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])

    def predict(self, context, model_input: pd.DataFrame) -> pd.DataFrame:
        """Return a row per row of `model_input`: `probability`; or one column per class, and `prediction`; or `prediction`."""
        kinds = {"tensor(float)": np.float32, "tensor(string)": object}
        feed = {
            node.name: model_input[[node.name]].to_numpy(dtype=kinds[node.type]) for node in self.session.get_inputs()
        }
        values = self.session.run([self.session.get_outputs()[-1].name], feed)[0]
        about = self.session.get_modelmeta().custom_metadata_map
        if about["task"] == "binary":
            return pd.DataFrame({"probability": values[:, 1]})
        if about["task"] == "regression":
            return pd.DataFrame({"prediction": values[:, 0]})
        table = pd.DataFrame(values, columns=json.loads(about["classes"]))
        return table.assign(prediction=table.columns[values.argmax(axis=1)])


mlflow.models.set_model(OnnxPredictor())
