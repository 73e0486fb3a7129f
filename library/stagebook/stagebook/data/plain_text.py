"""A value as text, without pandas: the service, the prediction log and true values name things alike."""

__all__ = ["as_text"]


def as_text(value: object) -> str:
    """Return a JSON value as a text file has it; whole numbers without a decimal point.

    Parquet and Excel have 17.0 where other values of the column are missing.
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(int(value)) if isinstance(value, float) and value.is_integer() and abs(value) < 2**53 else str(value)
