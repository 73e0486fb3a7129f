"""What tests of the replay share: rows whose concept changes or dissolves, and the smallest monitor there can be."""

import numpy as np
import pandas as pd
from samples import write_files
from stagebook.evaluate.metrics import PRIMARY, score
from stagebook.gate.requirements import read_requirements
from stagebook.model.kinds import LINEAR
from stagebook.model.task import Task
from stagebook.replay.candidate import Recipe
from stagebook.replay.plan import Replay, Rules

TASK = Task("binary", "late", ["no", "yes"], keys=["day"], time="day")
REQUIREMENTS = """
costs: { matrix: { "no": { "yes": 1 }, "yes": { "no": 3 } } }
segments: [place]
gates:
  trivial: { metric: gain.trivial, at_least: 0, owner: data scientist, reason: r }
  baseline: { metric: gain.baseline, at_least: 0, owner: data scientist, reason: r }
  champion: { metric: gain.champion, at_least: 0.01, owner: data scientist, reason: r }
  fast: { metric: timings.one_row_ms, at_most: 50, owner: ML engineer, reason: r }
  card: { metric: card.missing, at_most: 0, owner: data steward, reason: r }
"""


def make_table(changes: int, how: str, months: int = 8, per_month: int = 200) -> pd.DataFrame:
    """Rows of some months; from month number `changes` on the label is `flipped`, or `noise`."""
    random = np.random.default_rng(0)
    count = months * per_month
    day = pd.Timestamp("2026-01-01") + pd.to_timedelta(np.sort(random.uniform(0, months * 30.4 - 1, count)), unit="D")
    x = random.normal(size=count).astype(np.float32)
    place = np.where(random.random(count) < 0.5, "north", "south")
    signal = 2 * x + (place == "north") + random.normal(size=count) / 2
    late = day >= pd.Timestamp("2026-01-01") + pd.DateOffset(months=changes)
    signal = np.where(late, -signal if how == "flipped" else random.normal(size=count), signal)
    label = (signal > 0.5).astype("int8")
    return pd.DataFrame({"day": day.floor("s"), "x": x, "place": place, "late": label})


def measure(observed, references, task, requirements, how) -> dict:
    """The smallest window record: the deciding metric against the hold-out that the champion was checked on."""
    window, known, (metric, sign) = observed.window, np.isfinite(observed.label), PRIMARY[task.kind]
    named = {"name": window.name, "since": window.since.isoformat(), "until": window.until.isoformat()}
    holdout = references["holdout"]
    now = score(task, observed.label[known].astype(int), observed.prediction[known])[metric]
    before = score(task, holdout.label.astype(int), holdout.prediction)[metric]
    found = {"rows": len(known), "labelled": int(known.sum()), "performance": {metric: {"value": now}}}
    return {"window": named, **found, "performance_drop": {"value": sign * (before - now) / before}}


def decide(history, settings, now, retrained, new_rows) -> dict:
    """Act if the newest window is a tenth worse."""
    drop = history[-1]["performance_drop"]["value"]
    act = drop > 0.1
    about = {"metric": "performance_drop", "value": drop, "threshold": 0.1, "at_most": True}
    alarms = [{"name": "worse", "since": history[-1]["window"]["name"]} | about] if act else []
    fired, state = (["performance"], "act") if act else ([], "ok")
    return {"state": state, "retrain": act, "fired": fired, "reasons": [], "alarms": alarms, "suppressed_by": []}


def make_replay(folder, table, **changes) -> Replay:
    """A replay of the table in a folder."""
    write_files(folder, {"requirements.yaml": REQUIREMENTS})
    given = {
        "folder": folder / "replay",
        "table": table,
        "task": TASK,
        "recipe": Recipe("linear", LINEAR, {"C": 1.0}, ["place"], rows=500, min_segment_rows=20),
        "requirements": read_requirements(folder / "requirements.yaml"),
        "settings": None,
        "how": None,
        "measure": measure,
        "decide": decide,
        "rules": Rules(outcome_days=3),
    }
    return Replay(**given | changes)
