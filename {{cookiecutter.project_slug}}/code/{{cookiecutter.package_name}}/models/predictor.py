"""What MLflow loads for the registered model: ONNX behind `predict`, without this package and without pickle."""

import mlflow
import numpy as np
import onnxruntime
import pandas as pd


class OnnxPredictor(mlflow.pyfunc.PythonModel):
    """Probability of the positive class."""

    def load_context(self, context):
        """Open the ONNX file that was registered with this code."""
        path = context.artifacts["model"]
        self.session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])

    def predict(self, context, model_input: pd.DataFrame) -> pd.DataFrame:
        """Return one column, `probability`, with a row per row of `model_input`."""
        kinds = {"tensor(float)": np.float32, "tensor(string)": object}
        inputs = self.session.get_inputs()
        feed = {node.name: model_input[[node.name]].to_numpy(dtype=kinds[node.type]) for node in inputs}
        return pd.DataFrame({"probability": self.session.run(["probabilities"], feed)[0][:, 1]})


mlflow.models.set_model(OnnxPredictor())
