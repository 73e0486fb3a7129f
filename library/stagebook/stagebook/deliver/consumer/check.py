"""The package checks itself: its files are those that were built, and its answers those of the champion."""

import hashlib
import json
import sys
from importlib.metadata import PackageNotFoundError, version
from math import isclose
from pathlib import Path

from .predict import describe, predict, predict_raw

__all__ = ["check", "find_problems"]

FOLDER = Path(__file__).parent
TOLERANCE = 1e-4  # between processors


def find_problems() -> list[str]:
    """Return what is wrong with this installation; nothing if it answers as it must."""
    about, problems = describe(), []
    if hashlib.sha256((FOLDER / "model.onnx").read_bytes()).hexdigest() != about["sha256"]:
        problems.append("model.onnx is not the file that this version was built with; install the wheel again")
    try:
        if (installed := version(about["distribution"])) != str(about["version"]):
            problems.append(
                f"version {installed} of {about['distribution']} is installed, but the files are of {about['version']}: "
                f"two versions lie over each other. `pip uninstall {about['distribution']}` until none is left, then install one"
            )
    except PackageNotFoundError:
        pass  # a copy of the folder, as serverless packages have it
    vector = json.loads((FOLDER / "vector.json").read_text(encoding="utf-8"))
    problems += _compare("input", predict(vector["inputs"]), vector["answers"])
    if raw := vector.get("raw"):
        problems += _compare("raw request", predict_raw(raw), vector["raw_answers"])
    return problems


def _compare(what: str, answers: list[dict], expected: list[dict]) -> list[str]:
    return [
        f"{what} {row}: {name} is {answer[name]!r}, the champion gave {value!r}"
        for row, (answer, wanted) in enumerate(zip(answers, expected, strict=True))
        for name, value in wanted.items()
        if not _same(answer[name], value)
    ]


def _same(value: object, expected: object) -> bool:
    if isinstance(expected, float):
        return isclose(value, expected, rel_tol=TOLERANCE, abs_tol=TOLERANCE)
    return value == expected


def check() -> int:
    """Print what the package is and whether it answers as it must; return the exit code."""
    about, problems = describe(), find_problems()
    for problem in problems:
        print(f"ERROR: {problem}", file=sys.stderr)
    if problems:
        return 1
    takes = "inputs of the model, raw requests" if about["prepare"] else "inputs of the model"
    rows = len(json.loads((FOLDER / "vector.json").read_text(encoding="utf-8"))["inputs"])
    print(
        f"{about['name']} version {about['version']}: {rows} rows of the test vector are answered as by the champion."
    )
    print(f"It takes {takes}: {', '.join(f'{name} ({kind})' for name, kind in about['inputs'].items())}")
    return 0
