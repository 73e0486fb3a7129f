"""The replay: three policies live through the same windows, one after the other; what is done is on disk and is not done again."""

import hashlib
import json
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict as fields_of
from dataclasses import is_dataclass

import numpy as np
import pandas as pd

from ..evaluate.bootstrap import draw_rows, score_draws
from ..evaluate.decisions import cost_per_row
from ..evaluate.metrics import PRIMARY, score
from ..monitor.observed import Window, read_observed
from ..project.errors import DataError
from ..project.files import write_json
from .calendar import rows_of
from .candidate import check_gate, read_facts, train_candidate
from .online import answer_rows, as_prediction, log_answers, log_outcomes
from .plan import FIRST, POLICIES, Replay

__all__ = ["replay", "show_progress"]

DRAWS = 100
BAR = 30  # characters


def replay(given: Replay, show: Callable[[int, int, str], None] = lambda done, total, what: None) -> list[dict]:
    """Replay all windows that are not done yet, and return what happened in each.

    Each window is one file, written when all of the window is done. After a kill, the next call goes on with the window
    that was not finished. Other data, settings or requirements start anew.

    Parameters
    ----------
    show : callable
        `show(done, total, what)` is told of the progress.
    """
    _start(given)
    months, total = [], len(given.windows)
    if read_facts(given.model(FIRST)) is None:
        show(0, total, "the first model")
        train_candidate(
            given.model(FIRST), given.split(given.first.until), given.task, given.recipe, given.requirements
        )
    for number, window in enumerate(given.windows):
        file = given.folder / "windows" / f"{number:03}.json"
        if not file.is_file():
            show(number, total, window.name)
            write_json(_replay_window(given, window, months), file)
        months.append(json.loads(file.read_text(encoding="utf-8")))
    show(total, total, "done")
    return months


def show_progress(done: int, total: int, what: str) -> None:
    """Show a bar on the terminal, which wipes itself out at the end."""
    filled = BAR * done // max(total, 1)
    line = f"replay: [{'#' * filled}{'.' * (BAR - filled)}] {done} of {total} windows, {what}"
    print(f"\r{line:<{BAR + 60}}" if done < total else f"\r{'':{BAR + 60}}\r", end="", file=sys.stderr, flush=True)


def _start(given: Replay) -> None:
    """Remove the state of a replay of something else."""
    key, file = _fingerprint(given), given.folder / "key.json"
    if not file.is_file() or json.loads(file.read_text(encoding="utf-8")).get("key") != key:
        shutil.rmtree(given.folder, ignore_errors=True)
        write_json({"key": key}, file)


def _fingerprint(given: Replay) -> str:
    recipe = {name: value for name, value in vars(given.recipe).items() if name not in ("kind", "metrics")}
    content = [
        given.task,
        recipe,
        sorted(given.recipe.metrics),
        given.requirements,
        given.settings,
        given.how,
        given.rules,
    ]
    digest = hashlib.sha256(pd.util.hash_pandas_object(given.table, index=False).to_numpy().tobytes())
    digest.update(repr([*map(repr, content), list(given.table)]).encode())
    return digest.hexdigest()


def _replay_window(given: Replay, window: Window, months: list[dict]) -> dict:
    """Live through one window with all policies: serve, log, and at its end monitor, decide, retrain, promote or keep."""
    versions = dict(months[-1]["next"]) if months else dict.fromkeys(POLICIES, FIRST)
    rows, now, last = rows_of(given.table, given.task, window), window.until, window == given.windows[-1]
    answers = {version: answer_rows(given.model(version), given.table.iloc[rows]) for version in set(versions.values())}
    log_answers(
        given.url,
        versions["loop"],
        given.table.iloc[rows],
        given.table.index[rows],
        answers[versions["loop"]],
        given.task,
    )
    _log_arrived(given, months[-1]["now"] if months else given.first.until, now)
    predictions = {policy: as_prediction(answers[versions[policy]], given.task) for policy in POLICIES}
    found = {"window": window.name, "now": now.isoformat(), "rows": len(rows), "versions": versions}
    found |= _score_policies(given, rows, predictions)
    found["records"] = _measure(given, window, months)
    found["verdict"] = _decide(given, months, found["records"], now)
    following, candidate, gate = dict(versions), None, None
    if not last and len(rows):
        candidate = _train(given, window)
        if "error" not in candidate:
            following["every window"] = window.name
        if found["verdict"]["retrain"]:
            gate = _ask_gate(given, window, versions["loop"], candidate)
            following["loop"] = window.name if gate["promoted"] else versions["loop"]
    return found | {"candidate": candidate, "gate": gate, "next": following}


def _log_arrived(given: Replay, since: str | pd.Timestamp, now: pd.Timestamp) -> None:
    """Record the true values that arrived since the last window, of rows that the log has."""
    arrived = (given.arrives > pd.Timestamp(since)) & (given.arrives <= now) & (given.asked >= given.first.until)
    rows = given.table.index[arrived.to_numpy()]
    log_outcomes(given.url, given.table.loc[rows, given.task.target], given.arrives.loc[rows], given.task)


def _score_policies(given: Replay, rows: np.ndarray, predictions: Mapping[str, np.ndarray]) -> dict:
    """Return metrics and costs of the policies on all rows of the window, and by how much the loop differs by chance."""
    part = given.table.iloc[rows]
    label, metric = part[given.task.target].to_numpy(), PRIMARY[given.task.kind][0]
    if not len(rows):
        return {"metrics": {}, "cost": {}, "differences": {}}
    metrics = {policy: score(given.task, label, one) for policy, one in predictions.items()}
    cost = {
        policy: cost_per_row(given.task, label, one, given.requirements.costs.matrix)
        for policy, one in predictions.items()
    }
    draw = {policy: score_draws(given.task, label, one) for policy, one in predictions.items()}
    blocks = part[given.task.time].dt.floor("D").to_numpy()
    differences = {policy: [] for policy in POLICIES if policy != "loop"}
    for positions in draw_rows(blocks, len(rows), DRAWS, given.rules.seed):
        one = {policy: draw[policy](positions).get(metric) for policy in POLICIES}
        for policy, found in differences.items():
            found.append(None if one["loop"] is None or one[policy] is None else round(one["loop"] - one[policy], 6))
    return {"metrics": metrics, "cost": cost, "differences": differences}


def _measure(given: Replay, window: Window, months: list[dict]) -> list[dict]:
    """Measure this window, and the one before it again: true values have arrived since."""
    position = given.windows.index(window)
    records = []
    for one in given.windows[max(0, position - 1) : position + 1]:
        version = months[given.windows.index(one)]["versions"]["loop"] if one != window else None
        version = version or (months[-1]["next"]["loop"] if months else FIRST)
        observed = read_observed(given.url, one, given.task, given.kinds, known_until=window.until)
        record = given.measure(observed, given.references(version), given.task, given.requirements, given.how)
        records.append({name: value for name, value in record.items() if name != "system"})  # times of this machine
    return records


def _decide(given: Replay, months: list[dict], records: list[dict], now: pd.Timestamp) -> dict:
    """Return the verdict by docs/monitoring.yaml on all windows so far."""
    newest = {record["window"]["name"]: record for month in months for record in month["records"]}
    newest |= {record["window"]["name"]: record for record in records}
    history = sorted(newest.values(), key=lambda record: record["window"]["since"])
    retrained = [pd.Timestamp(month["now"]) for month in months if month["gate"]]
    before = len(given.known(retrained[-1] if retrained else given.first.until))
    verdict = given.decide(history, given.settings, now, retrained, len(given.known(now)) - before)
    return json.loads(json.dumps(fields_of(verdict) if is_dataclass(verdict) else verdict, default=str))


def _train(given: Replay, window: Window) -> dict:
    """Train the candidate of this window, unless a run that was killed has done it."""
    folder = given.model(window.name)
    try:
        return read_facts(folder) or train_candidate(
            folder, given.split(window.until), given.task, given.recipe, given.requirements
        )
    except DataError as error:
        return {"error": str(error), "seconds": 0.0}


def _ask_gate(given: Replay, window: Window, champion: str, candidate: dict) -> dict:
    if "error" in candidate:
        return {"promoted": False, "refused": [f"no candidate: {candidate['error']}"], "points": []}
    holdout = given.split(window.until)[2]
    folders = given.model(window.name), given.model(champion)
    return check_gate(*folders, holdout, given.task, given.recipe, given.gates)
