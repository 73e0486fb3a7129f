"""Commands of the model registry."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from ..project.errors import StepError
from ..project.root import find_root, project_name
from .command import argument, command
from .telling import tell, tell_verdict

GROUP = "Models"
WHY = argument("--why", default="", help="the reason, kept in the history")


@contextmanager
def _registry() -> Iterator[str]:
    """Connect to MLflow and yield the name of the project's model; one line says what is wrong with MLflow."""
    os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "ERROR")  # errors are reported below
    import mlflow
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    from ..step.parameters import step_parameters
    from ..track.tracking import connect_mlflow

    root = find_root()
    try:
        connect_mlflow()
        yield step_parameters(root / "params.yaml", "register").get("model_name") or project_name(root)
    except (MlflowException, SQLAlchemyError) as error:
        reason = str(error).splitlines()[0]
        raise StepError(f"MLflow at {mlflow.get_tracking_uri()} cannot be used: {reason}") from error


@command(GROUP)
def gate() -> int:
    """Print the gate's verdict on the candidate, point by point; exit code 1 if it is refused."""
    from ..registry.verdict import print_verdict

    return print_verdict(find_root())


@command(GROUP)
def models() -> None:
    """List the versions of the model, their stages and verdicts, and the history of promotions."""
    from ..registry.life_cycle import list_models
    from ..registry.listing import show_history, show_versions

    with _registry() as name:
        versions, entries = list_models(name)
        print(name, show_versions(versions), "", "History", show_history(entries), sep="\n")


@command(
    GROUP,
    argument("version", nargs="?", default="", help="its number in the registry"),
    argument("--to", default="production", help="production (the default), or staging: to wait there"),
    WHY,
)
def promote(version: str, to: str, why: str) -> None:
    """Make a version champion that passed the gate."""
    from ..registry.life_cycle import promote

    if not version.isdecimal():
        said = f"{version!r} is no version" if version else "which version"
        raise StepError(f'{said}? `make promote VERSION=2 WHY="..."`; `stagebook models` lists the versions.')
    with _registry() as name:
        promote(name, int(version), why, to)
        print(f"{name}: version {version} is {'champion' if to == 'production' else 'in staging'}.")


@command(GROUP, WHY)
def rollback(why: str) -> None:
    """Make the previous champion champion again."""
    from ..registry.life_cycle import rollback

    with _registry() as name:
        said = f"{name}: version {rollback(name, why)[-1].version} is champion again."
        print(said)
    tell(f"Rollback of {name}", said, why, event="rollback", model=name)


@command(GROUP)
def register() -> None:
    """Check the candidate again, against the champion that this registry knows, and print the verdict."""
    subprocess.run(["dvc", "repro", "--quiet", "--force", "--single-item", "register"], cwd=find_root(), check=True)
    gate()
    tell_verdict(find_root())


@command(GROUP, argument("--if-any", action="store_true", help="no error if there is none yet"))
def champion(if_any: bool) -> None:
    """Write the champion to models/champion, for git and DVC: machines without this registry start from it."""
    from ..registry.history import history
    from ..registry.keep import FOLDER, keep_champion

    root = find_root()
    with _registry() as name:
        if if_any and not history(name):
            print(f"{FOLDER} stays as it is: the registry here has no champion of {name}.")
        elif not keep_champion(name, root / FOLDER):
            print(f"{FOLDER} is the champion already.")
        else:
            subprocess.run(["dvc", "add", "--quiet", str(FOLDER)], cwd=root, check=True)
            print(f"{FOLDER} is the champion; commit {FOLDER}.dvc, then `dvc push`.")
