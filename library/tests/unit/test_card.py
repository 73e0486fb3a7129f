"""Model card and data sheet: from the run, complete or refused, never stale unnoticed, and safe to open."""

import hashlib
import json
import re

import pandas as pd
import pytest
from ruamel.yaml import YAML
from stagebook.card.facts import collect_facts
from stagebook.card.missing import missing_parts
from stagebook.card.page import to_html
from stagebook.card.write import is_stale, write_cards
from stagebook.gate.requirements import THIRTEEN
from stagebook.project.errors import DataError
from stagebook.registry.verdict import print_verdict

PICTURE = bytes.fromhex("89504e470d0a1a0a")  # how a PNG begins
HOSTILE = "<script>alert(1)</script> [x](javascript:alert(1)) ![y](https://evil.example/y.png) | # a `b` \\ <!-- c -->"
BAR = {"owner": "product owner", "reason": "because"}


def make_requirements():
    metrics = {"gain.trivial": "at_least", "gain.baseline": "at_least", "gain.champion": "at_least"}
    metrics |= {"risk.duties": "at_most", "card.missing": "at_most"}
    return {
        "use": {"purpose": "warn in time", "users": "the desk", "not_for": "safety", "limits": "one year"},
        "data": {"collected": "by hand", "licence": "CC0", "shared_with": "anybody"},
        "risk": {"category": "minimal", "reason": "no persons"},
        "costs": {
            "currency": "EUR",
            "per": "visit",
            "matrix": {"no": {"yes": 1}, "yes": {"no": 3}},
            "reasons": {"false alarm": "a call"},
        },
        "segments": ["city"],
        "gates": {metric.replace(".", "_"): BAR | {"metric": metric, limit: 0} for metric, limit in metrics.items()},
        "requirements": {name: {"threshold": f"threshold of {name}", "gate": "card_missing"} for name in THIRTEEN},
    }


FILES = {
    "data/interim/task.json": {
        "task": "binary",
        "target": "ill",
        "classes": ["no", "yes"],
        "keys": ["day"],
        "time": "day",
    },
    "data/raw/source.json": {"origin": "clinic.csv", "rows": 9, "sha256": "ab12", "bytes": 1000},
    "reports/cleaning.json": {
        "read": 9,
        "dropped_rows": {"without target": 1},
        "dropped_columns": {"mail": "personal"},
        "kept": {"train": 4, "validation": 2, "holdout": 2},
        "labels": {"source": "column ill", "rows": 8, "by_split": {"train": {"no": 0.75, "yes": 0.25}}},
    },
    "reports/training.json": {
        "chosen": "linear",
        "tried": {"linear": {"settings": {"C": 0.5}, "loss": {"train": 0.41, "validation": 0.43}, "format": "onnx"}},
    },
    "reports/metrics.json": {
        "holdout": {"rows": 2},
        "trivial": {"roc_auc": 0.5},
        "baseline": {"roc_auc": 0.6},
        "candidate": {"roc_auc": 0.7111, "ece": 0.0222},
        "intervals": {"candidate": {"roc_auc": [0.68, 0.74]}},
        "value": {"currency": "EUR", "threshold": 0.25, "cost": {"no model": 0.9, "baseline": 0.8, "candidate": 0.6}},
    },
    "reports/backtest.json": {
        "metric": "roc_auc",
        "periods": [
            {"name": "March", "rows": 9, "candidate": 0.7, "candidate_loss": 0.4, "trivial": 0.5, "trivial_loss": 0.6}
        ],
        "learning_curve": [{"rows": 9, "loss": 0.4, "metric": 0.7}],
        "more_rows": {"says": "flat, more rows would hardly help"},
    },
    "reports/inspection.json": {
        "segments": {"named": [{"segment": "city = Rome", "rows": 2, "loss": 0.5, "ratio": 1.2345}], "found": []},
        "fairness": {},
        "behaviour": {"passed": 1, "failed": ["older is riskier"], "tests": ["older is riskier", "name is ignored"]},
        "importance": {"age": 0.3, "city": 0.1},
        "labels": {"rows": 812, "share": 0.02, "doubtful": 17},
    },
}
POINTS = [
    {"gate": "gain_trivial", "owner": "o", "message": "gain 0.2 is at least 0", "passed": True},
    {"gate": "gain_champion", "owner": "o", "message": "not asked: a first version", "passed": True},
    {"gate": "card_missing", "owner": "o", "message": "half-filled: use.limits", "passed": False},
]
VERDICT = {"model": "m", "version": 3, "alias": "challenger", "refused": ["half-filled: use.limits"], "points": POINTS}


@pytest.fixture
def project(tmp_path):
    """Return a project with a run behind it."""
    for name, values in FILES.items():
        write(tmp_path, name, json.dumps(values))
    write(tmp_path, "pyproject.toml", '[project]\nname = "clinic"\ndescription = "Who falls ill?"\n')
    column = "{type: number, description: years of life}"
    table = "description: one row per person\n    owner: clinic\n    retention_days: 30"
    mail = "{type: text, pii: true, description: address}"
    write(
        tmp_path,
        "data/schema.yaml",
        f"tables:\n  people:\n    {table}\n    columns:\n      age: {column}\n      mail: {mail}\n",
    )
    write(tmp_path, "models/candidate/model.onnx", "model")
    write_requirements(tmp_path, make_requirements())
    for folder, name in (("evaluation", "roc"), ("evaluation", "calibration"), ("inspection", "odd name é")):
        write(tmp_path, f"reports/{folder}/{name}.png", "")
        (tmp_path / "reports" / folder / f"{name}.png").write_bytes(PICTURE)
    (tmp_path / "data/processed").mkdir()
    for split, day in (("train", "2020-01-01"), ("validation", "2020-02-01"), ("holdout", "2020-03-01")):
        rows = pd.DataFrame({"day": pd.to_datetime([day, day]), "ill": [0, 1]})
        rows.to_parquet(tmp_path / "data/processed" / f"{split}.parquet")
    return tmp_path


def write(root, name, text):
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).write_text(text, encoding="utf-8")


def write_requirements(root, content):
    (root / "docs").mkdir(exist_ok=True)
    with (root / "docs" / "requirements.yaml").open("w", encoding="utf-8") as stream:
        YAML().dump(content, stream)


def cards(root, verdict=VERDICT):
    """Write the cards; return their texts by file name."""
    facts = collect_facts(root) | ({"registration": verdict} if verdict else {})
    write_cards(root, facts, root / "reports" / "card")
    return {file.name: file.read_text(encoding="utf-8") for file in (root / "reports" / "card").iterdir()}


def missing(root):
    facts = collect_facts(root)
    return missing_parts(facts["requirements"], facts)


def test_a_whole_run_leaves_nothing_to_fill(project):
    assert missing(project) == []


def test_the_card_says_what_the_run_says(project):
    said = cards(project)
    assert set(said) == {"model_card.md", "model_card.html", "data_sheet.md", "data_sheet.html"}
    facts = [
        "more likely wrong than right: 17 of 812 rows of the training split; reports/inspection/doubts.csv",
        "warn in time",
        "no persons",
        "0.7111",
        "0.6800 to 0.7400",
        "0.0222",
        "city = Rome",
        "1.2345",
        "older is riskier",
    ]
    facts += [
        "years of life",
        "2020-03-01",
        "0.9",
        "0.3",
        "a call",
        "threshold of safety",
        "not asked: a first version",
        "because",
    ]
    for card in (said["model_card.md"], said["model_card.html"]):
        assert [fact for fact in facts if fact not in card] == []
    facts = [
        "warn in time",
        "by hand",
        "clinic.csv",
        "personal",
        "column ill",
        "75.0%",
        "30 days",
        "CC0",
        "anybody",
        "ab12",
    ]
    for sheet in (said["data_sheet.md"], said["data_sheet.html"]):
        assert [fact for fact in facts if fact not in sheet] == []


def test_the_verdict_stands_in_front(project):
    card = cards(project)["model_card.md"]
    assert "**Refused.** 1 of 3 points of the gate are met; 1 not asked of it. Version 3 is challenger." in card
    passed = VERDICT | {"refused": [], "points": POINTS[:1]}
    assert '<blockquote class="good">' in cards(project, passed)["model_card.html"]
    assert "**Not checked.**" in cards(project, None)["model_card.md"]


def test_the_same_run_gives_the_same_bytes(project):
    assert cards(project) == cards(project)


def test_markdown_links_pictures_and_html_has_them_inside(project):
    said = cards(project)
    links = re.findall(r"!\[.*?\]\(<(.*?)>\)", said["model_card.md"])
    assert len(links) == 3 and all((project / "reports/card" / link).is_file() for link in links)
    assert said["model_card.html"].count('src="data:image/png;base64,iVBOR') == 3
    assert not re.search(r"(src|href)=[\"'](?!data:|data_sheet\.html)", said["model_card.html"])


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("reports/inspection.json", "reports/inspection.json is missing; `dvc repro inspect` writes it"),
        ("reports/backtest.json", "reports/backtest.json is missing; `dvc repro backtest` writes it"),
        ("reports/metrics.json", "reports/metrics.json is missing; `dvc repro evaluate` writes it"),
        ("reports/training.json", "reports/training.json is missing; `dvc repro train` writes it"),
        ("reports/cleaning.json", "reports/cleaning.json is missing; `dvc repro clean` writes it"),
        ("data/raw/source.json", "data/raw/source.json is missing; `dvc repro ingest` writes it"),
        ("models/candidate/model.onnx", "models/candidate: no package of the model; `dvc repro train` writes it"),
        ("data/processed/holdout.parquet", "data/processed/holdout.parquet is missing"),
        ("data/schema.yaml", "data/schema.yaml is missing, or has no tables"),
        ("data/interim/task.json", None),
    ],
)
def test_a_file_that_is_missing_is_named_and_the_card_still_written(project, name, part):
    (project / name).unlink()
    assert missing(project) == ([part] if part else [])
    assert "# Model card: clinic" in cards(project)["model_card.md"]


@pytest.mark.parametrize("name", [name for name in FILES if name.startswith("reports")])
def test_a_report_that_says_nothing_is_half_filled(project, name):
    write(project, name, json.dumps({"other": 1}))
    assert missing(project) and all(part.startswith(f"{name}: `") for part in missing(project))
    cards(project)


def test_an_empty_text_is_named_and_seen_on_the_card(project):
    content = make_requirements()
    content["use"]["limits"] = ""
    content["requirements"]["safety"] = {"not_needed_because": ""}
    write_requirements(project, content)
    empty = "use.limits, requirements.safety.not_needed_because"
    assert missing(project) == [f"docs/requirements.yaml: {empty} are empty"]
    assert cards(project)["model_card.md"].count("**not filled in**") == 2


def test_a_table_without_meaning_is_half_filled_and_of_high_risk_a_column(project):
    schema = (project / "data/schema.yaml").read_text(encoding="utf-8")
    write(
        project, "data/schema.yaml", schema.replace("owner: clinic", "owner: ''").replace(", description: address", "")
    )
    assert missing(project) == ["data/schema.yaml: table people has no owner"]
    content = make_requirements()
    content["risk"]["category"] = "high"
    write_requirements(project, content)
    assert missing(project)[1:] == ["data/schema.yaml: table people: no description of mail; high risk needs each"]
    assert "**open**: risk.human\\_oversight is empty" in cards(project)["model_card.md"]


def test_a_report_that_is_no_json_is_one_message(project):
    write(project, "reports/metrics.json", "{")
    with pytest.raises(DataError, match=r"metrics.json is not JSON"):
        collect_facts(project)


@pytest.mark.parametrize("name", ["model_card.md", "model_card.html", "data_sheet.md", "data_sheet.html"])
def test_a_card_is_stale_once_model_or_requirements_changed(project, name):
    facts = collect_facts(project)
    model, requirements, card = facts["model"]["md5"], facts["requirements_md5"], cards(project)[name]
    assert is_stale(card, model, requirements) is None
    assert is_stale(card, "0" * 32, requirements).startswith(f"the card speaks of the model {model}")
    assert is_stale(card, model, "0" * 32) == "docs/requirements.yaml has changed since the card was written"
    assert "lost its head" in is_stale("# Model card", model, requirements)


def test_hostile_texts_stay_texts(project):
    content = make_requirements()
    content["use"]["purpose"] = content["data"]["licence"] = content["risk"]["reason"] = HOSTILE
    content["costs"]["currency"] = content["costs"]["per"] = HOSTILE
    content["costs"]["reasons"] = {HOSTILE: HOSTILE}
    content["requirements"]["safety"] = {"threshold": HOSTILE, "check": HOSTILE}
    write_requirements(project, content)
    write(project, "pyproject.toml", f"[project]\nname = '{HOSTILE}'\ndescription = '{HOSTILE}'\n")
    inspection = FILES["reports/inspection.json"] | {"importance": {HOSTILE: 0.3}}
    inspection["segments"] = {"named": [{"segment": HOSTILE, "rows": 1, "loss": 1.0, "ratio": 1.0}]}
    inspection["behaviour"] = {"passed": 0, "failed": [HOSTILE], "tests": [HOSTILE]}
    write(project, "reports/inspection.json", json.dumps(inspection))
    write(project, "data/raw/source.json", json.dumps({"origin": HOSTILE, "tables": {HOSTILE: {"sha256": HOSTILE}}}))
    hostile = [{"gate": HOSTILE, "owner": HOSTILE, "message": HOSTILE, "passed": False}]
    said = cards(project, VERDICT | {"points": hostile, "alias": HOSTILE, "refused": [HOSTILE]})
    for name, page in said.items():
        if name.endswith(".html"):
            assert "alert(1)" in page and "<script" not in page.lower()
            assert not re.search(r"(src|href)=[\"'](?!data:|\w+\.html)", page)
            assert page.count("<!--") == 1, "only the head is a comment"
        else:
            assert not re.search(r"(?<!\\)<script", page) and not re.search(r"(?<!\\)\]\((javascript|https)", page)
            assert len(re.findall(r"(?<!\\)<!--", page)) == 1


def test_a_template_of_the_project_wins_and_prints_text_as_text(project):
    write(
        project,
        "docs/templates/model_card.md.j2",
        "# Ours: {{ project.name }}\n{{ metrics.candidate.roc_auc | metric }}",
    )
    card = cards(project)["model_card.md"]
    assert card.endswith("# Ours: clinic\n0.7111\n") and "Data sheet" in cards(project)["data_sheet.md"]
    write(
        project,
        "docs/templates/model_card.md.j2",
        "# Ours\n{{ ''.__class__.__mro__ }}{{ requirements.use.purpose }}, {{ [1, 'a_b'] }}",
    )
    content = make_requirements()
    content["use"]["purpose"] = "<script>|"
    write_requirements(project, content)
    assert "# Ours\n\\<script>\\|, 1, a\\_b\n" in cards(project)["model_card.md"]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{{ 1 +", "unexpected"),
        ("{{ project | shout }}", "No filter named 'shout'"),
        ("{{ model.megabytes + 'x' }}", "TypeError"),
    ],
)
def test_an_error_in_a_template_names_file_and_line(project, line, message):
    write(project, "docs/templates/data_sheet.md.j2", f"# Ours\n\n{line}\n")
    with pytest.raises(DataError, match=rf"docs/templates/data_sheet\.md\.j2, line 3: .*{message}"):
        cards(project)


def test_html_in_the_markdown_does_not_become_html_of_the_page():
    page = to_html("# Card\n\n<img src=x onerror=alert(1)> ![a](../secret.png) [b](javascript:alert(1))", "", {})
    assert "<img" not in page and "secret" not in page and "javascript" not in page


@pytest.mark.parametrize("kind", ["multiclass", "regression"])
def test_every_kind_of_task_has_a_card(project, kind):
    classes = ["a", "b", "c"] if kind == "multiclass" else []
    write(project, "data/interim/task.json", json.dumps({"task": kind, "target": "y", "classes": classes}))
    metrics = FILES["reports/metrics.json"] | {"candidate": {"r2": 0.61, "rmse": 54321.5, "coverage": 0.9}}
    metrics["value"] = {"currency": "", "threshold": None, "cost": {"no model": 1, "candidate": 0.5}}
    metrics["intervals"] = {"candidate": {}}
    write(project, "reports/metrics.json", json.dumps(metrics))
    write_requirements(project, make_requirements() | {"costs": {}})
    assert all("requirements.yaml: costs." in part for part in missing(project))
    card = cards(project)["model_card.md"]
    assert "54,321.5" in card and "error costs 1" in card and "0.6100" in card


def lock_report(project, report):
    """Write the verdict, and its hash to dvc.lock as the pipeline does."""
    text = json.dumps(report)
    write(project, "reports/registration.json", text)
    out = {"path": "reports/registration.json", "md5": hashlib.md5(text.encode()).hexdigest()}
    write(project, "dvc.lock", json.dumps({"stages": {"register": {"outs": [out]}}}))


def test_the_command_passes_a_fresh_card_and_refuses_a_stale_one(project, capsys):
    passed = VERDICT | {"refused": [], "points": POINTS[:1]}
    lock_report(project, passed)
    assert print_verdict(project) == 1 and "card or model is missing" in capsys.readouterr().out
    cards(project, passed)
    assert print_verdict(project) == 0 and "m version 3: passed the gate" in capsys.readouterr().out
    write(project, "models/candidate/model.onnx", "another model")
    assert print_verdict(project) == 1 and "the card speaks of the model" in capsys.readouterr().out


def test_the_command_refuses_a_report_that_was_edited(project, capsys):
    refused = VERDICT | {"refused": ["worse"], "points": [POINTS[0] | {"passed": False, "message": "worse"}]}
    passed = VERDICT | {"refused": [], "points": POINTS[:1]}
    cards(project, passed)
    lock_report(project, refused)
    assert print_verdict(project) == 1 and "is not what the pipeline wrote" not in capsys.readouterr().out
    write(project, "reports/registration.json", json.dumps(passed))
    assert print_verdict(project) == 1
    assert "REFUSED  reports/registration.json is not what the pipeline wrote" in capsys.readouterr().out
    (project / "dvc.lock").unlink()
    assert print_verdict(project) == 1 and "is not what the pipeline wrote" in capsys.readouterr().out
