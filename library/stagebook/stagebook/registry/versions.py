"""The versions of a registered model, as MLflow has them."""

import json
from contextlib import suppress

import mlflow
from mlflow.exceptions import MlflowException

from ..project.errors import RegistryError

__all__ = ["add_model", "find_aliases", "find_refusals", "find_versions", "read_decision"]

RENAMED = {"figure": "metric", "bar": "threshold", "said": "message"}


def add_model(name: str, description: str | None = None) -> None:
    """Make the registered model, unless it is there or another clone that uses the same server is faster."""
    with suppress(MlflowException):  # if it is anything else, making a version says what is wrong
        mlflow.MlflowClient().create_registered_model(name, description=description)


def find_versions(name: str) -> dict:
    """Return the model's versions by their numbers, in order; none if there is no such model."""
    client, token, found = mlflow.MlflowClient(), None, []
    while True:
        page = client.search_model_versions(f"name = '{name}'", order_by=["version_number ASC"], page_token=token)
        found, token = [*found, *page], page.token
        if not token:
            return dict(sorted((int(version.version), version) for version in found))


def find_aliases(name: str) -> dict[str, int]:
    """Return the version that each alias of the model stands for."""
    try:
        aliases = mlflow.MlflowClient().get_registered_model(name).aliases
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        where = mlflow.get_tracking_uri()
        raise RegistryError(f"MLflow at {where} has no model {name!r}. `make pipeline` registers one.") from error
    return {alias: int(version) for alias, version in aliases.items()}


def read_decision(version) -> dict:
    """Return the gate's decision on the version; empty if it has not been checked."""
    decision = json.loads(version.tags.get("gate.decision", "{}"))
    points = decision.get("points")
    return _rename(decision) | ({"points": [_rename(point) for point in points]} if points is not None else {})


def find_refusals(decision: dict) -> list[str]:
    """Return why a decision of the gate lets nothing through: its refusals, points that are not passed, no points at all."""
    points = decision.get("points") or []
    failed = [point["message"] for point in points if point.get("passed") is not True]
    reasons = list(dict.fromkeys([*decision.get("refused", ["it has no list of refusals"]), *failed]))
    return reasons if points or reasons else ["the decision has no points: nothing was checked"]


def _rename(entry: dict) -> dict:
    """Return an entry with the keys of today: before release 0.3.0 they were figure, bar and said."""
    return {RENAMED.get(key, key): value for key, value in entry.items()}
