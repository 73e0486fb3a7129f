"""Commands of the pipeline."""

import os
import re
import sys
import time
from pathlib import Path

from ..project.errors import StepError
from ..project.root import find_root
from .command import argument, command

GROUP = "Pipeline"


@command(GROUP, argument("notebook", type=Path, help="as in notebooks/50_train.ipynb"))
def run(notebook: Path) -> int:
    """Run one notebook as a step, as dvc.yaml does.

    NOTEBOOK_ENGINE=kernel runs its cells in a Jupyter kernel: slower, same results.
    """
    began = time.monotonic()
    engine = os.environ.get("NOTEBOOK_ENGINE") or "warm"
    if engine not in ("warm", "kernel"):
        raise StepError(f"NOTEBOOK_ENGINE is {engine!r}; it must be `warm` (the default) or `kernel`.")
    if engine == "warm":
        from ..step.warm.client import WarmProcessError, run_in_warm_process

        try:
            return run_in_warm_process(find_root(notebook.parent), notebook, began)
        except WarmProcessError as error:
            print(f"No warm process, the step starts a kernel: {error}", file=sys.stderr)
    from ..step.run import run_step
    from ..track.processes import Caller, end_with

    end_with(os.getpid())
    run_step(notebook, Caller(os.getpid(), began))
    return 0


@command(GROUP)
def summary() -> None:
    """Print the metrics of the last pipeline run, the gate's verdict, and where to look."""
    from ..automate.summary import summarise

    print(summarise(find_root()))


@command(
    GROUP,
    argument("a", nargs="?", default="HEAD", help="a git revision or the name of a DVC experiment (HEAD)"),
    argument("b", nargs="?", default="workspace", help="the same, or `workspace` (the default)"),
)
def compare(a: str, b: str) -> None:
    """Write reports/compare.html: parameters, metrics, plots and notebooks of two revisions side by side."""
    from ..pages.compare.write import compare

    print(compare(find_root(), a, b))


@command(GROUP, argument("data", help="a path of the project, or an md5 of dvc.lock"))
def find_run(data: str) -> None:
    """List the MLflow runs that read or wrote a file."""
    from ..step.stage import locked_hash
    from ..track.lineage import find_runs

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


@command(GROUP, argument("--port", type=int, default=5000))
def ui(port: int) -> int:
    """Open MLflow's page of runs and models, on this machine only."""
    from ..track.tracking import serve_ui

    return serve_ui(find_root(), port)


@command(GROUP)
def stop() -> None:
    """End the warm process of this project."""
    from ..step.warm.client import stop_warm_process

    stop_warm_process(find_root())
