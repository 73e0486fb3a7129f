"""The commands behind dvc.yaml and the Makefile. `python -m <package>.pipeline --help` lists them."""

import argparse
import os
import re
import sys
import time
from pathlib import Path

from .project import StepError, exit_code, find_root


def main() -> int:
    """Run the command line; return the exit code."""
    parser = argparse.ArgumentParser(prog="pipeline", description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="run one step, as dvc.yaml does")
    run.add_argument("notebook", type=Path)
    repro = commands.add_parser("repro", help="dvc repro, with steps that are independent of each other at once")
    repro.add_argument("--jobs", type=int, default=2)
    runs = commands.add_parser("find-run", help="find the runs that read or wrote some data")
    runs.add_argument("data", help="a path of the project, or an md5 of dvc.lock")
    two = commands.add_parser("compare", help="write reports/compare.html: two commits or experiments side by side")
    two.add_argument("a", nargs="?", default="HEAD", help="a git revision or the name of a DVC experiment")
    two.add_argument("b", nargs="?", default="workspace", help="the same, or `workspace` (the default)")
    newer = commands.add_parser("update", help="merge the template's newer version into the working copy")
    newer.add_argument("--to", default="", help="tag, branch or commit of the template (default: the newest state)")
    commands.add_parser("summary", help="print the figures of the last pipeline")
    commands.add_parser("check-notebooks", help="are notebooks clean and modules in sync?")
    files = commands.add_parser("check-files", help="is there anything in git that must not be there?")
    files.add_argument("--staged", action="store_true", help="look only at what the next commit changes")
    catalog = commands.add_parser(
        "catalog", help="write docs/data: what data there is, what it means, where it comes from"
    )
    catalog.add_argument("--if-stale", action="store_true", help="only if it is not up to date")
    commands.add_parser("check-catalog", help="is docs/data what `catalog` would write?")
    commands.add_parser("site", help="make the documentation site in build/site")
    step = commands.add_parser("step", help="add a step to the pipeline: notebook, stage, parameters and a test")
    step.add_argument("name", help="as in dvc.yaml; also the name of its module")
    step.add_argument("--after", default="", help="the step before it; the last one before `train` if not given")
    commands.add_parser("stop", help="end the warm process of this project")
    arguments = parser.parse_args()
    commands = {
        "run": lambda: _run(arguments.notebook),
        "repro": lambda: _repro(arguments.jobs),
        "find-run": lambda: _find_run(arguments.data),
        "compare": lambda: _compare(arguments.a, arguments.b),
        "update": lambda: _update(arguments.to),
        "summary": _summary,
        "check-notebooks": _check_notebooks,
        "check-files": lambda: _check_files(arguments.staged),
        "catalog": lambda: _catalog(arguments.if_stale),
        "check-catalog": _check_catalog,
        "site": _site,
        "step": lambda: _step(arguments.name, arguments.after),
        "stop": _stop,
    }
    return exit_code(commands[arguments.command])


def _run(notebook: Path) -> int:
    began = time.time()
    engine = os.environ.get("NOTEBOOK_ENGINE") or "warm"
    if engine not in ("warm", "kernel"):
        raise StepError(f"NOTEBOOK_ENGINE is {engine!r}; it must be `warm` (the default) or `kernel`.")
    if engine == "warm":
        from .warm.client import WarmProcessError, run_in_warm_process

        try:
            return run_in_warm_process(find_root(notebook.parent), notebook, began)
        except WarmProcessError as error:
            print(f"No warm process, the step starts a kernel: {error}", file=sys.stderr)
    from .callers import Caller, end_with
    from .run import run_step

    end_with(os.getpid())
    run_step(notebook, Caller(os.getpid(), began))
    return 0


def _repro(jobs: int) -> None:
    from .parallel import reproduce

    reproduce(find_root(), jobs)


def _compare(a: str, b: str) -> None:
    from .compare.write import compare

    print(compare(find_root(), a, b))


def _update(to: str) -> int:
    from .update import update_project

    return update_project(find_root(), to)


def _summary() -> None:
    from .catalog.write import find_stale
    from .summary import summarise

    print(summarise(find_root()))
    if find_stale(find_root()):
        print("docs/data is stale: `make catalog` writes it; commit it with dvc.lock.")


def _check_notebooks() -> None:
    from .checks import check_notebooks

    check_notebooks(find_root())


def _check_files(staged: bool) -> None:
    from .guard import check_files

    check_files(find_root(), staged)


def _catalog(if_stale: bool) -> None:
    from .catalog.write import update_catalog

    print(update_catalog(find_root(), if_stale))


def _check_catalog() -> None:
    from .catalog.write import check_catalog

    check_catalog(find_root())


def _site() -> None:
    from .site.build import build_site

    print(build_site(find_root()))


def _step(name: str, after: str) -> None:
    from .new_step.write import add_step

    print(add_step(find_root(), name, after))


def _stop() -> None:
    from .warm.client import stop_warm_process

    stop_warm_process(find_root())


def _find_run(data: str) -> None:
    from .lineage import find_runs
    from .stage import locked_hash

    md5 = data if re.fullmatch(r"[0-9a-f]{32}(\.dir)?", data) else locked_hash(find_root(), data)
    found = find_runs(md5)
    if not found:
        raise StepError(f"No run in this MLflow store read or wrote {data} ({md5}).")
    lines = [
        f"{use['did']:5} {use['path']}  {use['step']} {use['status']}  run {use['run']}  commit {use['commit']}"
        + (f"  experiment {use['experiment']}" if use["experiment"] else "")
        for use in found
    ]
    print("\n".join([f"md5 {md5}", *lines]))


if __name__ == "__main__":
    sys.exit(main())
