"""A bare route: the same model, FastAPI and server as `stagebook serve`; no validation, log, metrics or reload."""

import sys

import numpy as np
import onnxruntime
import uvicorn
from fastapi import FastAPI, Request

options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1
session = onnxruntime.InferenceSession(sys.argv[1], options, providers=["CPUExecutionProvider"])
outputs = [session.get_outputs()[-1].name]
inputs = {node.name: np.float32 if node.type == "tensor(float)" else object for node in session.get_inputs()}
app = FastAPI()


@app.post("/predict")
async def predict(request: Request) -> dict:
    """Return the last output of the model for each row."""
    rows = (await request.json())["rows"]
    feed = {name: np.array([[row[name]] for row in rows], dtype=dtype) for name, dtype in inputs.items()}
    return {"predictions": session.run(outputs, feed)[0][:, -1].tolist()}


if __name__ == "__main__":
    uvicorn.run(app, port=int(sys.argv[2]), log_level="warning", access_log=False)
