"""What pyproject.toml says to the library, and the objects of the project that it names."""

import importlib
import sys
import tomllib
from pathlib import Path

from .errors import StepError

__all__ = ["load_object", "load_views", "package_name", "read_settings", "views_file"]

DEFAULTS = {
    "views": "",
    "request": "",
    "service": "",
    "trusted_types": [],
    "report_scripts": False,
    "warm_process": {"preload": [], "idle_minutes": 15.0},
    "check_files": {"allow": [], "max_kilobytes": 1000},
    "limits": {
        "megabytes": 5000.0,
        "minutes": 60.0,
        "silent_seconds": 30.0,
        "row_megabytes": 16.0,
        "cell_megabytes": 8.0,
    },
    "serve": {
        "hosts": [],
        "max_rows": 1000,
        "max_megabytes": 20.0,
        "seconds": 30.0,
        "waiting_rows": 5000,
        "follow_seconds": 10.0,
        "retention_days": 365,
        "control_share": 0.0,
    },
}


def _read_pyproject(root: Path) -> dict:
    return tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))


def read_settings(root: Path) -> dict:
    """Return `[tool.stagebook]` of pyproject.toml, with the defaults of what is left out.

    Raises
    ------
    StepError
        A key is not known, or has a value of another type than its default.
    """
    given = _read_pyproject(root).get("tool", {}).get("stagebook", {})
    return _fill(given, DEFAULTS, "[tool.stagebook]")


def _fill(given: dict, defaults: dict, where: str) -> dict:
    if unknown := given.keys() - defaults.keys():
        raise StepError(f"pyproject.toml, {where}: {min(unknown)!r} is not known; there is {', '.join(defaults)}.")
    for key, value in given.items():
        kind = type(defaults[key])
        if type(value) is not kind and not (kind is float and type(value) is int):
            raise StepError(
                f"pyproject.toml, {where}: {key} is {value!r}; it must be {kind.__name__}, like {defaults[key]!r}."
            )
    return {
        key: _fill(given.get(key, {}), default, f"{where}.{key}")
        if isinstance(default, dict)
        else given.get(key, default)
        for key, default in defaults.items()
    }


def package_name(root: Path) -> str:
    """Return the name of the package that nbdev exports to: the last part of `lib_path` in `[tool.nbdev]`."""
    try:
        return Path(_read_pyproject(root)["tool"]["nbdev"]["lib_path"]).name
    except KeyError as error:
        raise StepError("pyproject.toml must have `lib_path` in [tool.nbdev], as in `code/flight_delays`.") from error


def views_file(root: Path) -> Path | None:
    """Return the module that `views` names, as a file; None if the project has no feature store."""
    module = read_settings(root)["views"].partition(":")[0]
    return root / "code" / Path(*module.split(".")).with_suffix(".py") if module else None


def load_views(root: Path) -> tuple:
    """Import and return the feature views of the project, which `views` names; none if it is empty."""
    return tuple(load_object(root, "views") or ())


def load_object(root: Path, key: str) -> object | None:
    """Import what a key of [tool.stagebook] names as `module:name`; None if it names nothing.

    Raises
    ------
    StepError
        There is no such module or name.
    """
    setting = read_settings(root)[key]
    if not setting:
        return None
    module, _, name = setting.partition(":")
    folder = str(root / "code")
    if folder not in sys.path:
        sys.path.insert(0, folder)
    try:
        return getattr(importlib.import_module(module), name)
    except (ModuleNotFoundError, AttributeError) as error:
        raise StepError(f"pyproject.toml, [tool.stagebook]: {key} = {setting!r} cannot be loaded: {error}") from error
