"""The versions of a registered model, as MLflow has them."""

import json

import mlflow
from mlflow.exceptions import MlflowException

from ..project.errors import RegistryError

__all__ = ["find_aliases", "find_versions", "read_decision"]


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
    """Return what the gate said of the version; empty if it has not been judged."""
    return json.loads(version.tags.get("gate.decision", "{}"))
