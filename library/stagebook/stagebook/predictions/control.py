"""The control group: a share of the subjects whose predictions the caller must not act on, so that effects can be measured."""

import hashlib
from collections.abc import Mapping

from ..project.errors import StepError
from .store import key_columns

__all__ = ["check_share", "in_control"]

SETTING = "pyproject.toml, [tool.stagebook.serve]"


def check_share(share: float) -> float:
    """Return the share; StepError if it is none."""
    if not 0 <= share <= 1:
        raise StepError(f"{SETTING}: control_share is {share!r}; it must be from 0 to 1, such as 0.05.")
    return share


def in_control(share: float, key: Mapping[str, object], request_id: str, row: int) -> bool:
    """Tell whether a prediction belongs to the control group.

    A hash of the key decides, or without a key one of request id and row. There is no salt and no state: the same subject
    has the same answer in each process and after each restart, and stays in the group when the share grows.

    Parameters
    ----------
    share : float
        From 0 (nobody) to 1 (everybody).
    key : dict
        The fields that name the subject, as they are logged; may be empty.
    request_id, row : str, int
        Used if there is no key.
    """
    if not share:
        return False
    subject = key_columns(key)["key"] if key else f"{request_id}\n{row}"
    digest = hashlib.sha256(f"control\n{subject}".encode("utf-8", "backslashreplace")).digest()
    return int.from_bytes(digest[:7]) < share * 2**56
