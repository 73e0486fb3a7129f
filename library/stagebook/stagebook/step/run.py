"""Run one step: check its parameters, execute its notebook, record everything in MLflow."""

import os
import sys
from collections.abc import Callable
from pathlib import Path

import mlflow
from dvc.repo import Repo

from ..project.errors import StepError
from ..project.files import replace_file
from ..project.root import find_root, pipeline_of
from ..project.settings import read_settings
from ..track.lineage import record_data
from ..track.processes import Caller
from ..track.runs import log_cost, log_metrics, log_report, track_step
from .environment import step_environment
from .execute import Execution, execute_notebook
from .parameters import check_parameters, notebook_parameters, step_name, step_parameters
from .report import write_html
from .stage import input_files, metrics_files, output_files, restore_outputs, stage_of

__all__ = ["run_step"]


def run_step(notebook: Path, caller: Caller, execute: Callable[..., Execution] = execute_notebook) -> None:
    """Run the step that `notebook` is; `execute` runs its cells.

    Reads its stage in dvc.yaml and its section of params.yaml, those beside it for a notebook in pipelines/; writes the
    executed notebook and its page to reports/.

    Raises
    ------
    StepError
        Something is wrong with the step, its parameters or its data. Its last good outputs are back in place.
    """
    notebook = notebook.resolve()
    root = find_root(notebook.parent)
    step = step_name(notebook)
    if not notebook.is_file():
        raise StepError(f"There is no notebook {notebook}.")
    with Repo(str(root)) as repo:
        pipeline = pipeline_of(root, notebook)
        stage = stage_of(repo, step, pipeline)
        try:
            parameters = step_parameters(pipeline / "params.yaml", step)
            check_parameters(parameters, notebook_parameters(notebook), step, notebook.relative_to(root).as_posix())
            with track_step(root, step, notebook, parameters, caller) as run:
                reads = input_files(repo, stage)
                with record_data(root, step, run, reads, lambda: output_files(repo, stage)):
                    done = _execute(root, notebook, parameters, run, execute, caller)
                    _check_outputs(notebook, stage)
                    log_metrics(run, metrics_files(stage))
                cost = log_cost(run, done.cells_seconds, caller)
        except BaseException:
            if "DVC_STAGE" in os.environ and (restored := restore_outputs(stage)):
                print(f"The last good outputs are back in place: {', '.join(restored)}", file=sys.stderr)
            raise
    print(f"{step}: done in {cost}, report in reports/{notebook.stem}.html")


def _execute(root: Path, notebook: Path, parameters: dict, run: str, execute: Callable, caller: Caller) -> Execution:
    """Run the cells, publish the executed notebook and attach it to the run."""
    report = root / "reports" / notebook.name
    failed_report = report.with_suffix(".failed.ipynb")
    partial = report.with_name(f".partial-{report.name}")
    try:
        done = execute(notebook, partial, parameters, root, _cell_environment(root, run))
        scripts = read_settings(root)["report_scripts"]
        log_report(run, *_publish(partial, failed_report if done.failure else report, scripts))
        if done.failure:
            log_cost(run, done.cells_seconds, caller)
    except OSError as error:
        raise StepError(f"{notebook.name}: {error}") from error
    finally:
        partial.unlink(missing_ok=True)
    if done.failure:
        shown = failed_report.with_suffix(".html").relative_to(root)
        raise StepError(f"{done.failure}\nThe executed notebook with the error: {shown}")
    for leftover in (failed_report, failed_report.with_suffix(".html")):
        leftover.unlink(missing_ok=True)
    return done


def _check_outputs(notebook: Path, stage) -> None:
    if missing := [str(out) for out in stage.outs if not out.exists]:
        raise StepError(f"{notebook.name} did not write {', '.join(missing)}; dvc.yaml says that it does.")


def _cell_environment(root: Path, run: str) -> dict[str, str]:
    return step_environment() | {
        "MLFLOW_TRACKING_URI": mlflow.get_tracking_uri(),
        "MLFLOW_RUN_ID": run,  # the notebook's own mlflow.log_* calls land in the step's run
        # `dvc exp run --temp` works on a copy of the project: use the code of that copy.
        "PYTHONPATH": os.pathsep.join(filter(None, [str(root / "code"), os.environ.get("PYTHONPATH")])),
    }


def _publish(partial: Path, report: Path, scripts: bool = False) -> tuple[Path, Path]:
    """Give the executed notebook and its page their final names, the page first."""
    page = report.with_suffix(".html")
    with replace_file(page) as partial_page:
        write_html(partial, partial_page, scripts)
    partial.replace(report)
    return report, page
