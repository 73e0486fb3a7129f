"""The command `stagebook`: finds what was asked for, runs it, and turns errors of users into one message."""

import os
import sys
from pathlib import Path

from .. import __version__
from ..project.root import exit_code
from . import automation, data, delivery, models, monitoring, pipeline, project, serving  # noqa: F401  they declare the commands
from .command import COMMANDS, build_parser

__all__ = ["main"]


def main(words: list[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    parser = build_parser()
    arguments = vars(parser.parse_args(words))
    name, version = arguments.pop("command"), arguments.pop("show_version")
    if version or name is None:
        print(__version__) if version else parser.print_help()
        return 0 if version else 2
    _find_tools()
    return exit_code(lambda: COMMANDS[name].function(**arguments))


def _find_tools() -> None:
    """Put the environment of this Python first on PATH: commands call its dvc, ruff and uv, active or not."""
    tools, path = str(Path(sys.executable).parent), os.environ.get("PATH", "")
    if path.split(os.pathsep)[0] != tools:
        os.environ["PATH"] = f"{tools}{os.pathsep}{path}"


if __name__ == "__main__":
    sys.exit(main())
