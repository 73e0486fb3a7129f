"""docs/environments.yaml: where the champion runs, which stores it uses there, and who must agree; read and checked."""

import os
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Annotated, ClassVar
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field
from pydantic.dataclasses import dataclass
from pydantic.json_schema import SkipJsonSchema

from ..project.errors import StepError
from ..project.yaml_files import read_yaml
from ..project.yaml_values import CONFIG, Problem, Section, Text, give_names, suggest

__all__ = ["FILE", "Environment", "Environments", "Stores", "find_environment", "read_environments"]

FILE = "docs/environments.yaml"
NAME = re.compile(r"[a-z][a-z0-9-]{0,30}")
VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
LOCAL = ("127.0.0.1", "localhost")


def _read_variable(value: object) -> object:
    if isinstance(value, str) and value and not VARIABLE.fullmatch(value):
        raise Problem(
            "must be the name of an environment variable, such as STAGING_LOG_URL: what it holds stays out of git."
        )
    return value


Variable = Annotated[Text, BeforeValidator(_read_variable)]


@dataclass(frozen=True, config=CONFIG)
class Stores(Section):
    """Names of the environment variables that hold the URLs of the stores."""

    prediction_log: Variable = Field(
        default="", description="Of the prediction log; a file of the environment without it"
    )
    feature_store: Variable = Field(default="", description="Of the online features; those of this project without it")


@dataclass(frozen=True, config=CONFIG)
class Environment(Section):
    """One place where the champion runs."""

    GIVEN: ClassVar = frozenset({"name"})

    name: SkipJsonSchema[Text]
    address: Text = Field(description="Where the service answers, such as http://127.0.0.1:8001")
    folder: Text = Field(default="", description="Of its releases; .local/environments/<name> if not given")
    command: list[Text] = Field(
        default_factory=list, description="Puts a release elsewhere; without it the service runs on this machine"
    )
    needs: Text = Field(
        default="", description="The environment in which the same artefact passed its smoke test before"
    )
    approvers: list[Text] = Field(default_factory=list, description="Of whom one must agree, other than who deploys")
    stores: Stores = Field(default_factory=Stores)
    api_key: Variable = Field(default="", description="Name of the variable that holds the key of the service")

    @property
    def port(self) -> int:
        """The port of the address."""
        parts = urlsplit(self.address)
        return parts.port or (443 if parts.scheme == "https" else 80)

    def secret(self, variable: str) -> str:
        """Return what a variable holds that the file names, `` for no name; StepError if it is not set."""
        if variable and not os.environ.get(variable):
            raise StepError(f"{FILE}: {self.name} needs the environment variable {variable}, which is not set.")
        return os.environ.get(variable, "") if variable else ""


@dataclass(frozen=True, config=CONFIG)
class Environments(Section):
    """The file: environments by name, in the order in which an artefact goes through them."""

    environments: Annotated[dict[str, Environment], BeforeValidator(give_names)] = Field(
        description="Environments by name, such as staging and production"
    )


def read_environments(root: Path) -> dict[str, Environment]:
    """Return the environments of the project by name, their folders absolute.

    Raises
    ------
    DataError
        The file is missing or has a key or value that cannot be; the message names line, key and fix.
    """
    hint = " or write one as vendor/stagebook/docs/deployment.md shows"
    found = read_yaml(root / FILE, Environments, check=_check_together, hint=hint).environments
    return {
        name: replace(one, folder=str(root / (one.folder or f".local/environments/{name}")))
        for name, one in found.items()
    }


def find_environment(environments: dict[str, Environment], name: str) -> Environment:
    """Return an environment by name; for an empty name the last one: it needs another, or is the only one."""
    needed = {other.needs for other in environments.values()}
    last = [one for one in environments.values() if one.name not in needed and (one.needs or len(environments) == 1)]
    if not name and len(last) == 1:
        return last[0]
    if name not in environments:
        said = f"{name!r} is no environment" if name else "which environment? `--to NAME`"
        near = suggest(name, environments) if name else ""
        raise StepError(f"{said}; {FILE} has {', '.join(environments)}.{near}")
    return environments[name]


def _check_together(content: Environments) -> Iterator[Problem]:
    before: dict[str, Environment] = {}
    if not content.environments:
        yield Problem("is empty; write at least one environment.", "environments")
    for name, one in content.environments.items():
        keys = ("environments", name)
        if not NAME.fullmatch(name):
            yield Problem("is no name of an environment: small letters, digits and hyphens.", *keys)
        yield from _check_address(one, *keys)
        if one.needs and one.needs not in before:
            known = f"there is {', '.join(before)}" if before else "there is none"
            yield Problem(f"is {one.needs!r}; it must be an environment above this one: {known}.", *keys, "needs")
        for other in before.values():
            if one.address == other.address:
                yield Problem(f"is that of {other.name}; give each its own.", *keys, "address")
            if one.folder and one.folder == other.folder:
                yield Problem(f"is that of {other.name}; give each its own.", *keys, "folder")
        before[name] = one


def _check_address(one: Environment, *keys: str) -> Iterator[Problem]:
    try:
        parts = urlsplit(one.address)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host, parts = None, None
    if not host or parts.scheme not in ("http", "https") or parts.path not in ("", "/"):
        yield Problem(f"is {one.address!r}; it must be as http://127.0.0.1:8001.", *keys, "address")
    elif parts.password or parts.username:
        yield Problem("has a user or password in it; set `api_key` to the name of a variable.", *keys, "address")
    elif not one.command and (host not in LOCAL or parts.scheme != "http" or not parts.port):
        sentence = f"is {one.address!r}; without `command` the service runs on this machine: http://127.0.0.1:PORT."
        yield Problem(sentence, *keys, "address")
