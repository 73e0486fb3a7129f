"""The errors that users see. The message says what is wrong, where, and what to do; no traceback is shown."""

from .addresses import mask_addresses

__all__ = ["DataError", "RegistryError", "StagebookError", "StepError", "StoreError"]


class StagebookError(Exception):
    """Something that the user can correct. All other exceptions are faults of the code.

    Messages reach terminals, logs, reports and MLflow: passwords and tokens in addresses are masked here, for all of them.
    """

    def __str__(self) -> str:
        """Return the message with `***` for secrets in addresses."""
        return mask_addresses(super().__str__())


class DataError(StagebookError, ValueError):
    """Data or settings that a step cannot work with. The message names file, column and value."""


class StepError(StagebookError):
    """A step or command that cannot go on."""


class RegistryError(StagebookError):
    """A request to the model registry that cannot be fulfilled."""


class StoreError(StagebookError):
    """The online feature store or the prediction log cannot be used. The message never shows a password."""
