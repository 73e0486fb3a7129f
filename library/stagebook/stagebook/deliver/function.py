"""A serverless function: the wheel with what it needs, unpacked in a folder, of a size that clouds take."""

import shutil
import subprocess
import sys
from pathlib import Path

from ..project.errors import StepError
from ..project.files import replace_folder

__all__ = ["LIMIT", "build_function", "measure"]

LIMIT = 250_000_000  # bytes, unpacked: that of AWS Lambda


def build_function(
    root: Path, wheel: Path, python: str = "", platform: str = "", limit: int = LIMIT
) -> tuple[Path, int]:
    """Install a wheel and what it needs into build/function; return the folder and its size in bytes.

    Parameters
    ----------
    python, platform : str
        Of the cloud, such as 3.13 and x86_64-manylinux_2_28; those of this machine if empty.
    limit : int
        StepError if the folder is larger.
    """
    python = python or f"{sys.version_info.major}.{sys.version_info.minor}"
    pins = root / "environments" / f"constraints-{python}.txt"
    options = [
        "--python-version",
        python,
        "--only-binary",
        ":all:",
        *(["--python-platform", platform] if platform else []),
    ]
    options += ["--constraint", str(pins)] if pins.is_file() else []
    folder = root / "build" / "function"
    with replace_folder(folder) as new:
        done = subprocess.run(
            ["uv", "pip", "install", "--quiet", "--target", str(new), *options, str(wheel)], check=False
        )
        if done.returncode:
            raise StepError("`uv pip install` failed, see above.")
        for left in [new / "bin", *new.rglob("__pycache__"), *new.rglob("tests")]:
            shutil.rmtree(left, ignore_errors=True)
        if (size := measure(new)) > limit:
            raise StepError(
                f"the function has {size / 1e6:.0f} MB unpacked; {limit / 1e6:.0f} MB are allowed. Largest: {_largest(new)}. "
                "Deploy the image of the service instead."
            )
    return folder, size


def measure(folder: Path) -> int:
    """Return the bytes of all files in a folder."""
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def _largest(folder: Path) -> str:
    parts = sorted(((measure(path), path.name) for path in folder.iterdir() if path.is_dir()), reverse=True)
    return ", ".join(f"{name} {size / 1e6:.0f} MB" for size, name in parts[:3])
