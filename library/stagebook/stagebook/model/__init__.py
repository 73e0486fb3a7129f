"""Models: task, encoding, kinds, folds, search, calibration, packages.

A `ModelKind` tells how a kind of model is fitted and searched; a project passes its own. `package` writes a fitted
model as ONNX and skops; `predictor` stands alone and serves a registered version without this library.
"""
