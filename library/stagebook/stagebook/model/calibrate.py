"""Calibration: probabilities recalibrated if that helps, and an interval around a predicted value."""

from math import ceil

import numpy as np
from sklearn.calibration import CalibratedClassifierCV
from sklearn.frozen import FrozenEstimator
from sklearn.metrics import log_loss
from sklearn.pipeline import Pipeline, make_pipeline

from .kinds import Rows
from .task import Task

__all__ = ["interval_half_width", "recalibrate"]

MIN_GAIN = 0.01  # of the loss; less is as likely chance, and one part more in the model


def recalibrate(
    model: Pipeline, copy: Pipeline, unseen: Rows, validation: Rows, task: Task
) -> tuple[Pipeline, dict[str, float | bool]]:
    """Return the model, recalibrated if that helps on the validation split, and the losses before and after.

    Parameters
    ----------
    model : Pipeline
        A classifier; it has seen all of the training split.
    copy : Pipeline
        The same kind of model, fitted on a part of the training split.
    unseen : tuple of DataFrame and Series
        Rows of the training split that `copy` has not seen: the recalibration is learned here
        (Platt's sigmoid). Not on the validation split, which is a season of its own when data is split by time. If a
        class has no row here, nothing can be learned about it, and the model stays as it is.
    """
    if unseen[1].nunique() < len(task.classes):
        return model, {"needed": False}
    # `copy` is not fitted again, so the folds of CalibratedClassifierCV have no meaning here. Its default of five warns if
    # a class has fewer rows.
    rows = np.arange(len(unseen[1]))
    calibrator = CalibratedClassifierCV(FrozenEstimator(copy[-1]), method="sigmoid", cv=[(rows, rows)])
    calibrator.fit(copy[:-1].transform(unseen[0]), unseen[1])
    calibrator.cv = None  # not into the package
    # The converter to ONNX does not know FrozenEstimator.
    calibrator.estimator = calibrator.calibrated_classifiers_[0].estimator = model[-1]
    moved = make_pipeline(*model[:-1], calibrator)
    codes = range(len(task.classes))
    before, after = (
        round(log_loss(validation[1], one.predict_proba(validation[0]), labels=codes), 4) for one in (model, moved)
    )
    needed = after < before * (1 - MIN_GAIN)
    return moved if needed else model, {"needed": needed, "loss_before": before, "loss_after": after}


def interval_half_width(label: np.ndarray, prediction: np.ndarray, confidence: float) -> float:
    """Return h so that prediction - h to prediction + h holds the value in the share `confidence` of such rows.

    Split conformal prediction (Lei et al. 2018, doi:10.1080/01621459.2017.1307116): of the n absolute errors on rows that
    the model was not fitted on, in rising order, the one of rank ceil((n + 1) * confidence).

    Parameters
    ----------
    label, prediction : ndarray of shape (n_rows,)
        Of the validation split.
    """
    errors = np.sort(np.abs(label - prediction))
    rank = min(
        len(errors), ceil(round((len(errors) + 1) * confidence, 9))
    )  # counted from 1; with few rows, the largest error
    return float(f"{errors[rank - 1]:.5g}")
