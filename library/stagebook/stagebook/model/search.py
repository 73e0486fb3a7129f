"""Search for good settings of a model: each trial is cross-validated, kept and tracked; a killed search goes on."""

import hashlib
import inspect
import json
import os
import time
from pathlib import Path

import mlflow
import numpy as np
import optuna
from filelock import FileLock

from ..project.root import local_folder
from ..track.runs import start_run_below
from .kinds import ModelKind

__all__ = ["Budget", "open_study", "search", "study_name"]

DONE = (optuna.trial.TrialState.COMPLETE, optuna.trial.TrialState.PRUNED)


class Budget:
    """Limits the number of trials per model and the total minutes."""

    def __init__(self, trials: int, minutes: float):
        self.trials = trials
        self.end = time.monotonic() + 60 * minutes
        self.exhausted = False

    def allows(self, done: int) -> bool:
        """Return whether one more trial may start, and note it if only the time stands against it."""
        self.exhausted |= done < self.trials and time.monotonic() >= self.end
        return done < self.trials and not self.exhausted


def study_name(model: str, kind: ModelKind, data: list[Path], **settings) -> str:
    """Return a name that is the same for the same data, code of the model, and settings, and for no other."""
    code = sorted({inspect.getsource(inspect.getmodule(part)) for part in (kind.fit, kind.suggest)})
    digest = hashlib.md5(json.dumps([code, settings], sort_keys=True).encode())
    for file in data:
        digest.update(file.read_bytes())
    return f"{model}-{digest.hexdigest()[:12]}"


def open_study(name: str, home: Path) -> optuna.Study:
    """Return the study in `OPTUNA_STORAGE` (a SQLAlchemy URL), or in .local/optuna.db of the project `home`."""
    url = os.environ.get("OPTUNA_STORAGE") or f"sqlite:///{(local_folder(home) / 'optuna.db').as_posix()}"
    optuna.logging.set_verbosity(
        optuna.logging.WARNING
    )  # what it tells stands in MLflow, and would make reports differ
    with _lock(home, "optuna"):  # the first to come makes the tables
        return optuna.create_study(
            study_name=name,
            storage=url,
            load_if_exists=True,
            pruner=optuna.pruners.MedianPruner(n_startup_trials=3),
        )


def search(
    study: optuna.Study, model: str, kind: ModelKind, base: dict, measure, budget: Budget, seed: int, home: Path
) -> tuple[dict, dict]:
    """Return the best settings found, and how the search went.

    What a trial is asked to try depends on the finished trials before it and on the seed alone. So a search that was
    killed and goes on, or is asked for more trials, comes to the same result as one in one go.

    Parameters
    ----------
    base : dict
        The settings of params.yaml: the first trial, and the ground of all others.
    measure : callable
        `measure(settings)` yields the loss of each fold.
    """
    with _lock(home, study.study_name):  # a second process with the same question waits, and finds the answer
        while budget.allows(done := len(study.get_trials(deepcopy=False, states=DONE))):
            _try_one(study, model, kind, base, measure, done, seed)
    tried = study.get_trials(states=DONE)[: budget.trials]
    complete = [trial for trial in tried if trial.state == DONE[0]]
    best = min(complete, key=lambda trial: trial.value)  # the first one is never pruned
    report = {"trials": len(tried), "pruned": len(tried) - len(complete), "loss_before": complete[0].value}
    return json.loads(best.user_attrs["settings"]), report | {"loss": best.value}


def _try_one(study: optuna.Study, model: str, kind: ModelKind, base: dict, measure, number: int, seed: int) -> None:
    study.sampler = optuna.samplers.TPESampler(seed=np.random.SeedSequence([seed, number]).generate_state(1)[0])
    trial = study.ask()
    settings = base if number == 0 else base | kind.suggest(trial)
    trial.set_user_attr("settings", json.dumps(settings))
    with start_run_below(f"{model} trial {number}", {"model": model, **settings}) as run:
        trial.set_user_attr("mlflow_run", run.info.run_id)
        losses = []
        for fold, loss in enumerate(measure(settings)):
            losses.append(loss)
            mlflow.log_metric("fold_loss", loss, step=fold)
            trial.report(float(np.mean(losses)), fold)
            if number and trial.should_prune():
                mlflow.set_tag("trial.state", "pruned")
                study.tell(trial, state=DONE[1])
                return
        mlflow.log_metric("loss", float(np.mean(losses)))
        mlflow.set_tag("trial.state", "complete")
    # Thread counts move the last digits of a loss; six are what decides.
    study.tell(trial, float(f"{np.mean(losses):.6g}"))


def _lock(home: Path, name: str) -> FileLock:
    folder = home / ".dvc" / "tmp"
    folder.mkdir(parents=True, exist_ok=True)
    return FileLock(folder / f"{name}.lock")
