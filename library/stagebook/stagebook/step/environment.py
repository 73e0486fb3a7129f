"""The environment of a step: the same in the warm process, in a kernel and in the cells."""

import os
import tempfile
from pathlib import Path

from ..project.errors import StepError

__all__ = ["socket_folder", "step_environment"]

# Bytes that the path of a Unix socket may have (107 on Linux, 103 on macOS), and those of the names below the folder.
LONGEST, NAMES = 103, 50


def step_environment() -> dict[str, str]:
    """Return the variables that an interpreter needs from its start so that its steps are reproducible and quiet."""
    return {
        "PYTHONHASHSEED": "0",
        # How long a thread that waits keeps its core: at once is slow on a quiet machine, long on a busy one.
        "GOMP_SPINCOUNT": os.environ.get("GOMP_SPINCOUNT") or "1000",
        "MPLBACKEND": os.environ.get("MPLBACKEND") or "module://matplotlib_inline.backend_inline",  # as a kernel has
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",  # no warning from the kernel's debugger
        "PYTHONWARNINGS": os.environ.get("PYTHONWARNINGS") or "ignore:IProgress not found",
        "MLFLOW_LOGGING_LEVEL": os.environ.get("MLFLOW_LOGGING_LEVEL") or "WARNING",
    }


def socket_folder() -> Path:
    """Return a writable folder with a path that is short enough for Unix sockets, however long that of TMPDIR is.

    Raises
    ------
    StepError
        There is none.
    """
    wanted = (os.environ.get("XDG_RUNTIME_DIR"), tempfile.gettempdir(), "/tmp", "/var/tmp", "/dev/shm")
    for folder in filter(None, wanted):
        if len(os.fsencode(folder)) + NAMES <= LONGEST and os.access(folder, os.W_OK | os.X_OK):
            return Path(folder)
    raise StepError("no folder for sockets: set TMPDIR to a writable folder with a path of at most 50 characters")
