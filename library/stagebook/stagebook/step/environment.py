"""The environment of a step: the same in the warm process, in a kernel and in the cells."""

import os

__all__ = ["step_environment"]


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
