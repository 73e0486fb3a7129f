"""The commands behind dvc.yaml and the Makefile. `python -m <package>.pipeline --help` lists them."""

import argparse
import re
import sys
from pathlib import Path

from .project import StepError, find_root


def main() -> int:
    """Run the command line; return the exit code."""
    parser = argparse.ArgumentParser(prog="pipeline", description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="run one step, as dvc.yaml does")
    run.add_argument("notebook", type=Path)
    runs = commands.add_parser("find-run", help="find the runs that read or wrote some data")
    runs.add_argument("data", help="a path of the project, or an md5 of dvc.lock")
    commands.add_parser("summary", help="print the figures of the last pipeline")
    commands.add_parser("check-notebooks", help="are notebooks clean and modules in sync?")
    arguments = parser.parse_args()
    try:
        if arguments.command == "run":
            from .run import run_step

            run_step(arguments.notebook)
        elif arguments.command == "find-run":
            print(_find_run(arguments.data))
        elif arguments.command == "summary":
            from .summary import summarise

            print(summarise(find_root()))
        else:
            from .checks import check_notebooks

            check_notebooks(find_root())
    except StepError as error:
        print(f"ERROR: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Interrupted. `dvc repro` goes on from this step.", file=sys.stderr)
        return 130
    return 0


def _find_run(data: str) -> str:
    from .lineage import find_runs
    from .stage import locked_hash

    md5 = data if re.fullmatch(r"[0-9a-f]{32}(\.dir)?", data) else locked_hash(find_root(), data)
    found = find_runs(md5)
    if not found:
        raise StepError(f"No run in this MLflow store read or wrote {data} ({md5}).")
    lines = [
        f"{use['did']:5} {use['path']}  {use['step']} {use['status']}  run {use['run']}  commit {use['commit']}"
        for use in found
    ]
    return "\n".join([f"md5 {md5}", *lines])


if __name__ == "__main__":
    sys.exit(main())
