"""docs/monitoring.yaml: what it may hold, what is said of what it may not, and the windows that follow."""

from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pytest
from records import SETTINGS
from ruamel.yaml import YAML
from stagebook.monitor.observed import Window
from stagebook.monitor.settings import read_monitoring
from stagebook.project.errors import DataError

TEMPLATE = Path(__file__).resolve().parents[3] / "{{cookiecutter.project_slug}}"
OURS = sorted(TEMPLATE.glob("options/data/*/docs/monitoring.yaml"))


def write(folder, **sections):
    content = {name: {**part, **(sections.get(name) or {})} for name, part in ({"drift": {}} | SETTINGS).items()}
    content |= {name: part for name, part in sections.items() if not isinstance(part, dict)}
    file = folder / "monitoring.yaml"
    with file.open("w", encoding="utf-8") as text:
        YAML().dump(content, text)
    return file


@pytest.mark.parametrize("file", OURS, ids=lambda file: file.parts[-3])
def test_those_of_the_template_are_right_and_short(file):
    found = read_monitoring(file)
    assert found.retraining.when in found.triggers
    assert all(one.reason and one.owner for one in found.thresholds.values())
    assert {one.kind for one in found.triggers.values()} >= {"schedule", "performance", "distribution", "hybrid"}
    assert len(file.read_text(encoding="utf-8").splitlines()) <= 60
    assert len(OURS) == 2


@pytest.mark.parametrize(
    ("sections", "sentence"),
    [
        (
            {"windows": {"length": "weeks"}},
            "windows.length is 'weeks'; it must be one of day, week, month. Did you mean",
        ),
        ({"windows": {"alarm": 4}}, "windows.alarm is 4; it cannot be more than `of_last`, 3."),
        ({"windows": {"min_rows": 0}}, "windows.min_rows is 0"),
        ({"references": ["trainig"]}, "'trainig'; it must be training, validation, holdout, same season, or two dates"),
        ({"references": ["2013-04-01 to 2013-01-01"]}, "'2013-04-01 to 2013-01-01'; it must be"),
        ({"references": ["2013-13-01 to 2014-01-01"]}, "'2013-13-01 to 2014-01-01'; it must be"),
        ({"thresholds": {"x": {"metric": "drft.share", "at_most": 1}}}, "has no `owner`"),
        (
            {"thresholds": {"worse": SETTINGS["thresholds"]["worse"] | {"metric": "drft.share"}}},
            "thresholds.worse.metric is 'drft.share'; it must begin with one of",
        ),
        (
            {"thresholds": {"worse": SETTINGS["thresholds"]["worse"] | {"at_least": 1}}},
            "thresholds.worse has at_most and at_least; give it either",
        ),
        ({"thresholds": {"worse": SETTINGS["thresholds"]["worse"] | {"reason": ""}}}, "worse.reason is empty"),
        ({"triggers": {"old": {"kind": "schedule", "rows": 3}}}, "triggers.old: `rows` is not for a trigger of kind"),
        ({"triggers": {"old": {"kind": "schedule"}}}, "triggers.old of kind schedule needs `every_days`, not empty."),
        ({"triggers": {"old": {"kind": "sometimes"}}}, "triggers.old.kind is 'sometimes'; it must be one of"),
        (
            {"triggers": {"decayed": {"kind": "performance", "thresholds": ["wrose"]}}},
            "triggers.decayed.thresholds has 'wrose'; it must be one of worse, moved, missing. Did you mean `worse`?",
        ),
        (
            {"triggers": {"decayed": {"kind": "performance", "thresholds": ["moved"]}}},
            "'moved', whose metric is drift.share: not of kind performance.",
        ),
        (
            {
                "triggers": {
                    "train_again": {"kind": "hybrid", "any": ["a"]},
                    "a": {"kind": "hybrid", "all": ["train_again"]},
                }
            },
            "which waits for 'train_again' itself",
        ),
        ({"triggers": {"a": {"kind": "hybrid", "all": ["a"]}}}, "triggers.a.all has 'a', which waits for 'a' itself."),
        ({"retraining": {"when": "sometime"}}, "retraining.when has 'sometime'; it must be one of decayed, shifted"),
        ({"retraining": {"cooldown": 3}}, "retraining: `cooldown` is not known"),
    ],
)
def test_what_is_wrong_is_said_with_line_key_and_fix(tmp_path, sections, sentence):
    with pytest.raises(DataError, match=r"monitoring\.yaml(, line \d+|.* has \d problems)") as error:
        read_monitoring(write(tmp_path, **sections))
    assert sentence in str(error.value)


@pytest.mark.parametrize(
    ("length", "name", "since", "until"),
    [
        ("day", "2024-03-03", "2024-03-03", "2024-03-04"),
        ("week", "2024-02-19", "2024-02-19", "2024-02-26"),
        ("month", "2024-02", "2024-02-01", "2024-03-01"),
    ],
)
def test_the_last_window_is_the_newest_that_is_over(tmp_path, length, name, since, until):
    windows = read_monitoring(write(tmp_path, windows={"length": length})).windows
    expected = Window(name, pd.Timestamp(since, tz="UTC"), pd.Timestamp(until, tz="UTC"))
    assert windows.last(datetime(2024, 3, 4 - (length == "week"), 0, 0, tzinfo=UTC)) == expected
    assert windows.last(pd.Timestamp(until, tz="UTC")) == expected
    older, newest = windows.newest(pd.Timestamp(until, tz="UTC"), 2)
    assert (newest, older.until) == (expected, expected.since)


def test_windows_are_measured_as_the_file_says(tmp_path):
    given = read_monitoring(write(tmp_path, drift={"alpha": 0.05}, windows={"outcomes_after_days": 3}))
    found = given.measure_settings(seed=7)
    assert (found.alpha, found.min_rows, found.late_after_days, found.seed) == (0.05, 100, 3, 7)


def test_references_of_the_log_are_the_same_season_and_periods(tmp_path):
    found = read_monitoring(write(tmp_path, references=["training", "same season", "2023-01-01 to 2023-04-01"]))
    spans = found.log_references(found.windows.last(datetime(2024, 3, 4, tzinfo=UTC)))
    assert [(name, str(one.since.date()), str(one.until.date())) for name, one in spans.items()] == [
        ("same season", "2023-02-27", "2023-03-06"),
        ("2023-01-01 to 2023-04-01", "2023-01-01", "2023-04-01"),
    ]
