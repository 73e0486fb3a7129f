"""The commands of the model registry. `python -m <package>.models --help` lists them."""

import argparse
import os
import subprocess
import sys
from pathlib import Path

from ..pipeline.project import StepError, exit_code, find_root, project_name


def main() -> int:
    """Run the command line; return the exit code."""
    parser = argparse.ArgumentParser(prog="models", description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    promote = commands.add_parser("promote", help="make a version champion that the gate has let through")
    promote.add_argument("version", nargs="?", default="", help="its number in the registry")
    promote.add_argument("--to", default="production", help="production, or staging: to wait there")
    rollback = commands.add_parser("rollback", help="make the champion before the present one champion again")
    for command in (promote, rollback):
        command.add_argument("--why", default="", help="kept in the history for good")
    commands.add_parser("models", help="show versions and history")
    champion = commands.add_parser("champion", help="write the champion to models/champion, for git and DVC")
    champion.add_argument("--if-any", action="store_true", help="no error if there is none yet")
    commands.add_parser("gate", help="print the verdict on the candidate; exit code 1 if it is refused")
    arguments = parser.parse_args()
    if arguments.command == "gate":
        from .gate.verdict import print_verdict

        return print_verdict(find_root())
    verbs = {
        "promote": lambda name: _promote(name, arguments.version, arguments.why, arguments.to),
        "rollback": lambda name: _rollback(name, arguments.why),
        "models": _list,
        "champion": lambda name: _champion(name, arguments.if_any),
    }
    return exit_code(lambda: _connect_and(verbs[arguments.command]))


def _connect_and(verb) -> None:
    """Call `verb` with the name of the project's model; say in one line what is wrong with it or with MLflow."""
    os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "ERROR")  # what MLflow logs is said below
    import mlflow
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    from ..pipeline.tracking import connect_mlflow
    from .registry.versions import RegistryError

    root = find_root()
    try:
        connect_mlflow()
        verb(_model_name(root))
    except RegistryError as error:
        raise StepError(str(error)) from error
    except (MlflowException, SQLAlchemyError) as error:
        reason = str(error).splitlines()[0]
        raise StepError(f"MLflow at {mlflow.get_tracking_uri()} cannot be used: {reason}") from error


def _model_name(root: Path) -> str:
    from ..pipeline.parameters import step_parameters

    return step_parameters(root / "params.yaml", "register").get("model_name") or project_name(root)


def _promote(name: str, version: str, why: str, to: str) -> None:
    from .registry.life_cycle import promote

    if not version.isdecimal():
        said = f"{version!r} is no version" if version else "which version"
        raise StepError(f'{said}? `make promote VERSION=2 WHY="..."`; `make models` lists the versions.')
    promote(name, int(version), why, to)
    print(f"{name}: version {version} is {'champion' if to == 'production' else 'in staging'}.")


def _rollback(name: str, why: str) -> None:
    from .registry.life_cycle import rollback

    print(f"{name}: version {rollback(name, why)[-1].version} is champion again.")


def _champion(name: str, if_any: bool) -> None:
    from .registry.history import history
    from .registry.keep import FOLDER, keep_champion

    root = find_root()
    if if_any and not history(name):
        print(f"{FOLDER} stays as it is: the registry here has no champion of {name}.")
    elif not keep_champion(name, root / FOLDER):
        print(f"{FOLDER} is the champion already.")
    else:
        subprocess.run(["dvc", "add", "--quiet", str(FOLDER)], cwd=root, check=True)
        print(f"{FOLDER} is the champion; commit {FOLDER}.dvc, then `dvc push`.")


def _list(name: str) -> None:
    from .registry.life_cycle import list_models
    from .registry.listing import show_history, show_versions

    versions, entries = list_models(name)
    print(name, show_versions(versions), "", "History", show_history(entries), sep="\n")


if __name__ == "__main__":
    sys.exit(main())
