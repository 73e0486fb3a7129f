"""One prediction, and the row that the log keeps of it."""

from dataclasses import asdict, dataclass, field
from datetime import datetime

from .store import clean_text, key_columns, to_json, to_utc

__all__ = ["Prediction", "encode", "waiting_record"]


@dataclass(frozen=True, slots=True)
class Prediction:
    """One prediction as it is logged.

    Attributes
    ----------
    inputs : dict
        The raw request, masked.
    features : dict
        The model's inputs as the model got them, masked.
    control : bool
        Whether the caller must not act on it; see `in_control`.
    control_share : float
        The share of the control group at that time.
    """

    request_id: str
    row: int
    asked_at: datetime
    model: str
    version: str
    key: dict[str, str]
    inputs: dict
    output: dict
    latency_ms: float
    features: dict = field(default_factory=dict)
    control: bool = False
    control_share: float = 0.0


def encode(prediction: Prediction) -> dict | None:
    """Return a prediction as a row of the table; None if it is no prediction that can be written."""
    try:
        return {
            "request_id": clean_text(prediction.request_id),
            "row": int(prediction.row),
            "asked_at": to_utc(prediction.asked_at),
            "model": clean_text(prediction.model),
            "version": clean_text(prediction.version),
            **key_columns(prediction.key),
            "inputs": to_json(prediction.inputs),
            "features": to_json(prediction.features),
            "output": to_json(prediction.output),
            "control": bool(prediction.control),
            "control_share": float(prediction.control_share),
            "latency_ms": float(prediction.latency_ms),
        }
    except Exception:  # noqa: BLE001  one row that cannot be written must not stop the others
        return None


def waiting_record(prediction: Prediction) -> dict:
    """Return a prediction that is in memory only as the log returns one: no true value is known."""
    return asdict(prediction) | {"outcome": None, "observed_at": None, "received_at": None}
