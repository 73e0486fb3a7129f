"""An environment elsewhere: a command of the project puts a release there, such as `kubectl` or a script."""

import os
import subprocess
from contextlib import contextmanager
from pathlib import Path

from ..project.errors import StepError
from .artefact import Artefact
from .environments import Environment
from .local import Releases
from .smoke import run_smoke_test, wait_until_ready

__all__ = ["CommandTarget"]


class CommandTarget(Releases):
    """Calls `command` of an environment; the smoke test asks its address afterwards.

    The command gets the artefact in DEPLOY_FOLDER, and DEPLOY_DIGEST, DEPLOY_VERSION, DEPLOY_MODEL, DEPLOY_ENVIRONMENT.
    It must leave the environment as it was if it fails.
    """

    def __init__(self, root: Path, environment: Environment):
        super().__init__(environment)
        self.root, self.key = root, environment.secret(environment.api_key)

    def settle(self, recorded: str) -> None:
        """Do nothing: the next release replaces what is there."""

    def running(self) -> str:
        """Return nothing: only the smoke test asks."""
        return ""

    def try_out(self, artefact: Artefact) -> dict:
        """Return nothing: what is tested is what has been put there."""
        return {}

    @contextmanager
    def exchange(self, artefact: Artefact, before: Artefact | None):
        """Put `artefact` there and test it, for the block; put `before` there again if one of them fails."""
        try:
            self._call(artefact)
            wait_until_ready(self.environment.address, artefact, self.key, seconds=600)
            yield run_smoke_test(self.environment.address, artefact, self.key)
        except BaseException:
            if before:
                self._call(before)
            raise
        self.forget_old(artefact)

    def _call(self, artefact: Artefact) -> None:
        told = {
            "DEPLOY_FOLDER": str(artefact.folder),
            "DEPLOY_DIGEST": artefact.digest,
            "DEPLOY_VERSION": str(artefact.version),
            "DEPLOY_MODEL": artefact.model,
            "DEPLOY_ENVIRONMENT": self.environment.name,
        }
        command = self.environment.command
        try:
            done = subprocess.run(command, cwd=self.root, env=os.environ | told, stdin=subprocess.DEVNULL, check=False)
        except OSError as error:
            raise StepError(f"{self.environment.name}: {command[0]!r} cannot be run: {error.strerror}.") from error
        if done.returncode:
            raise StepError(f"{self.environment.name}: {' '.join(command)} failed ({done.returncode}), see above.")

    def stop(self) -> bool:
        """Refuse: what a command started, this one does not know."""
        raise StepError(f"{self.environment.name} is run by its `command`; end the service where it runs.")
