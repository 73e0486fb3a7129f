"""Which MLflow runs wrote the reports of both sides."""

from pathlib import Path

from ...project.root import local_folder
from ...track.tracking import find_server
from .side import Side

__all__ = ["find_step_runs", "show_run"]


def find_step_runs(root: Path, sides: list[Side]) -> tuple[list[dict[str, dict]], str]:
    """Return for each side the run that wrote each report, by path; and what kept MLflow from answering, if it did."""
    if not find_server(root) and not (local_folder(root) / "mlflow.db").is_file():
        return [{}, {}], "there is no mlflow.db here"
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    try:
        return [_find(side) for side in sides], ""
    except (MlflowException, SQLAlchemyError) as error:
        return [{}, {}], str(error).splitlines()[0]


def _find(side: Side) -> dict[str, dict]:
    from ...track.lineage import find_runs

    found = {}
    for path in reports(side):
        wrote = [use for use in find_runs(side.written[path]) if use["did"] == "wrote" and use["path"] == path]
        # Runs that came to the same bytes: the experiment's own, else the one that was first.
        of_experiment = [use for use in wrote if side.experiment and use["experiment"] == side.experiment]
        if wrote:
            found[path] = (of_experiment or wrote[-1:])[0]
    return found


def reports(side: Side) -> list[str]:
    """Return the executed notebooks that dvc.lock lists."""
    return [path for path in side.written if path.startswith("reports/") and path.endswith(".ipynb")]


def show_run(runs: dict[str, dict]) -> str:
    """Name the latest execution of the pipeline that wrote one of the reports, as MLflow's page does."""
    if not runs:
        return "none found"
    last = max(runs.values(), key=lambda use: use["began"])
    return f"{last['experiment'] or 'pipeline'} {last['pipeline']}"
