"""Own data of many kinds goes through the whole pipeline with nothing edited, and unusable data is refused by name."""

import csv
import json
import os
import random
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from baked import (
    TEMPLATE,
    Project,
    bake_into,
    fill_requirements,
    script,
    share_environment,
    steps_run,
)
from ruamel.yaml import YAML
from servers import find_program

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Iterator[Path]:
    """Where one project after the other is baked: they share a warm process."""
    folder = tmp_path_factory.mktemp("own") / "baked"
    yield folder
    if (folder / "own-data").exists():
        Project(folder / "own-data").stop()


@pytest.fixture
def bake_own(place, tmp_path, monkeypatch):
    """Bake a project on a table, named as a user does: relative to where the user is."""

    def bake(table: str | Path, target: str, **answers: str) -> Project:
        shutil.rmtree(place, ignore_errors=True)
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("PWD", str(tmp_path))
        project = bake_into(place, data="own", data_path=str(table), target=target, project_slug="own-data", **answers)
        share_environment(project)
        project.run("git", "init", "--quiet", "--initial-branch=main")
        return project

    return bake


def write_table(code: str) -> None:
    """Run Python code that writes a table, in the shared environment."""
    subprocess.run([sys.executable, "-c", code], check=True)


def run_pipeline(project: Project) -> dict:
    """Run everything; return the hold-out figures."""
    project.run("dvc", "repro")
    return json.loads(project.read("reports/metrics.json"))


def refused(project: Project, *options: str) -> str:
    result = project.run("dvc", "repro", *options, ok=False)
    assert "Traceback" not in result.stderr, result.stderr
    return result.stderr


def columns(project: Project) -> dict:
    return YAML(typ="safe").load(project.read("data/schema.yaml"))["tables"]["table"]["columns"]


def task(project: Project) -> dict:
    return json.loads(project.read("data/interim/task.json"))


def registration(project: Project) -> dict:
    return json.loads(project.read("reports/registration.json"))


def closed(decision: dict) -> set[str]:
    """The gates that did not open."""
    return {point["gate"] for point in decision["points"] if not point["passed"]}


@pytest.mark.full
@pytest.mark.parametrize(
    ("name", "kind", "primary", "better"),
    [
        ("breast_cancer", "binary", "roc_auc", lambda figure: figure > 0.95),
        ("wine", "multiclass", "accuracy", lambda figure: figure > 0.85),
        ("diabetes", "regression", "r2", lambda figure: figure > 0.2),
    ],
)
def test_sets_of_scikit_learn(bake_own, tmp_path, name, kind, primary, better):
    code = f"from sklearn import datasets as d; d.load_{name}(as_frame=True).frame.to_csv({str(tmp_path / 'set.csv')!r}, index=False)"
    write_table(code)
    project = bake_own("set.csv", "target")
    figures = run_pipeline(project)
    assert task(project)["task"] == kind
    assert better(max(figures["candidate"][primary], figures["baseline"][primary])), figures
    assert not [column for column, facts in columns(project).items() if facts.get("role", "feature") == "ignored"]
    project.commit("As generated, and run")
    project.run("stagebook", "check", "notebooks", "wiring")
    project.run("pytest", "--quiet", "tests/data_validation", "tests/model")
    assert steps_run(project.run("dvc", "repro").stdout) == []
    before = registration(project)
    assert before["alias"] == "challenger"
    assert closed(before) == {"documentation"}, "what only people can say, and nothing else"
    fill_requirements(project)
    project.run("dvc", "repro")
    assert registration(project)["refused"] == []
    assert registration(project)["alias"] == "champion"


@pytest.mark.full
def test_arrests_from_a_zip_with_groups_and_dates(bake_own, tmp_path):
    uv = Path(sys.executable).with_name("uv")
    subprocess.run(
        [uv, "pip", "install", "--quiet", "--no-deps", "--target", tmp_path / "lego", "scikit-lego"], check=True
    )
    [file] = (tmp_path / "lego").rglob("arrests*")
    shutil.copy(file, tmp_path / file.name)
    project = bake_own(file.name, "released")
    figures = run_pipeline(project)
    assert task(project)["classes"] == ["No", "Yes"]
    assert figures["candidate"]["roc_auc"] > 0.6


SCRIPT = "<script>document.title='injected'</script>"
IMAGE = "<img src=x onerror=document.title='injected'>"
WORDS = ["rot", "blau", "neu", "alt", "groß", "klein", "naïve", "schön"]


def ugly_rows(n: int) -> list[list[str]]:
    """Every ugliness at once; the label depends on the amount and the city."""
    draw = random.Random(0)
    rows = []
    for number in range(n):
        amount, city = draw.gauss(100, 30), draw.choice(["Köln", "O'Fallon", 'Say "Hi"', "São Paulo", ""])
        day = f"{draw.randint(1, 28):02d}.{draw.randint(1, 12):02d}.202{draw.randint(1, 4)}"
        rows.append(
            [
                f"K-{number:05d}", f"{number:05d}"[-5:], f"{amount:.2f}".replace(".", ",") if draw.random() > 0.1 else "unbekannt",
                city, day, draw.choice(["ja", "nein", ""]), " ".join(draw.choices(WORDS, k=5)),
                f"Kunde{draw.randint(0, 400)}", SCRIPT, "", f"p{number}@example.org", str(number % 7), str(number % 7),
                "gut" if amount + 40 * (city == "Köln") + draw.gauss(0, 10) > 110 else "schlecht",
                draw.choice(["1", "2", "x"]), f"Erika Musterfrau{'abcdefgh'[number % 8]}", f"202-555-{number % 100:04d}",
                draw.choice([SCRIPT, IMAGE]),
            ]
        )  # fmt: skip
    return rows


HEADER = [
    "Kunden Nr.", "PLZ", "Betrag (€)", "Ort's \"Name\"", "Datum", "aktiv?", "Notiz", "Kunde", "constant", "leer", "e-mail", "a", "a", "Güte", "label",
    "Kontakt", "b", IMAGE,
]  # fmt: skip


def write_ugly(folder: Path) -> Path:
    path = folder / "häßliche Daten.csv"
    with path.open("w", encoding="cp1252", errors="replace", newline="") as file:
        csv.writer(file, delimiter=";").writerows([HEADER, *ugly_rows(800)])
    return path


PERSONAL = re.compile(rb"p\d+@example\.org|Musterfrau|202-555-\d{4}")
# The source and its copy in DVC, which people must guard; and code, which the pipeline does not write.
NOT_LOOKED_AT = ("data/raw/", ".dvc/cache/", ".venv/", "vendor/")


def check_no_personal_value(project: Project) -> None:
    """Nothing that the pipeline wrote holds a personal value: reports, MLflow's store and artefacts, baseline, models."""
    files = [file for file in project.path.rglob("*") if file.is_file() and not file.is_symlink()]
    names = {file: file.relative_to(project.path).as_posix() for file in files}
    written = {name: file.read_bytes() for file, name in names.items() if not name.startswith(NOT_LOOKED_AT)}
    assert {"reports/10_ingest.html", "data/baseline.json", ".local/mlflow.db"} <= set(written)
    assert "Content-Security-Policy" in project.read("reports/15_schema.html")
    assert {name: PERSONAL.search(content)[0] for name, content in written.items() if PERSONAL.search(content)} == {}


def check_no_script_runs(project: Project, *folders: str) -> None:
    """No page executes what the data holds, even where its content security policy allows scripts."""
    browser = find_program("chromium", "chromium")
    pages = [page for folder in folders for page in (project.path / folder).rglob("*.html")]
    copy = project.path / "build" / "page.html"
    for page in pages:
        text = re.sub(r"<meta http-equiv=.Content-Security-Policy.*?>", "", page.read_text(encoding="utf-8"))
        copy.parent.mkdir(exist_ok=True)
        copy.write_text(text, encoding="utf-8")
        options = ["--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=2000", "--dump-dom"]
        shown = subprocess.run([browser, *options, copy.as_uri()], capture_output=True, text=True, check=True).stdout
        assert "<title>injected" not in shown, page
    assert len(pages) > 10


def check_understood(project: Project) -> None:
    """Every ugliness was found out."""
    assert project.load("reports/metrics.json")["candidate"]["roc_auc"] > 0.85
    found = columns(project)
    assert {found[name]["role"] for name in ("Kunden Nr.", "PLZ")} == {"identifier"}
    assert {found[name]["role"] for name in ("constant", "leer", "a_2")} == {"ignored"}
    assert found["Betrag (€)"] == {"type": "number", "missing_values": ["unbekannt"]}
    assert found["aktiv?"]["type"] == "boolean"
    assert found["Datum"]["type"] == "date"
    assert found["Notiz"]["type"] == "text"
    assert all(found[name]["pii"] for name in ("e-mail", "Kontakt", "b"))
    check_no_personal_value(project)
    assert task(project)["classes"] == ["gut", "schlecht"]
    counted = script(
        project,
        f"import pandas as pd; rows = pd.read_parquet('data/processed/train.parquet').drop(columns={task(project)['keys']});"
        "numbers = rows.drop(columns='Güte').select_dtypes('number').shape[1];"
        "print(f'{rows.shape[1] - 1} features: {numbers} numbers, {rows.shape[1] - 1 - numbers} texts')",
    )
    assert counted.strip() in project.read("reports/40_features.ipynb")
    assert "p1@example.org" not in script(
        project, "import pandas as pd; print(pd.read_parquet('data/interim/table.parquet').to_csv())"
    )


def test_an_ugly_file_by_the_commands_of_the_readme(tmp_path):
    """`cookiecutter`, `make -C ... pipeline`, which installs; then what only people can write, a check, a sample."""
    write_ugly(tmp_path)
    words = ["--no-input", str(TEMPLATE), "project_name=Our Customers", "data=own", "data_path=häßliche Daten.csv"]
    command = [sys.executable, "-m", "cookiecutter", *words, "target=Güte", "time_column=Datum"]
    subprocess.run(command, cwd=tmp_path, env=os.environ | {"PWD": str(tmp_path)}, check=True)
    project = Project(tmp_path / "our-customers")
    log = project.run("make", "-C", str(project.path), "pipeline").stdout
    try:
        check_understood(project)
        assert steps_run(log)[:2] == ["ingest", "schema"]
        assert registration(project)["alias"] == "challenger"
        assert closed(registration(project)) == {"documentation"}, "what only people can say, and nothing else"
        project.run("stagebook", "sample")
        invented = project.read("build/sample/sample.csv")
        assert not re.search(r"p\d+@example|K-\d{5}", invented), "rows of the data are in the sample"
        assert project.load("build/sample/reports/registration.json")["alias"] == "challenger"
        fill_requirements(project)
        assert steps_run(project.run("make", "pipeline").stdout) == ["evaluate", "inspect", "register"]
        assert registration(project)["refused"] == []
        assert registration(project)["alias"] == "champion"
        assert steps_run(project.run("dvc", "repro").stdout) == []
        project.commit("As generated, and run")
        project.run("make", "check")
        assert " passed" in project.run("make", "test").stdout
        assert project.run("git", "status", "--porcelain").stdout == ""
    finally:
        project.stop()


@pytest.mark.full
def test_an_ugly_file_split_at_random(bake_own, tmp_path):
    project = bake_own(write_ugly(tmp_path).name, "Güte")
    run_pipeline(project)
    check_understood(project)
    project.run("stagebook", "catalog")
    project.run("stagebook", "site")
    check_no_script_runs(project, "reports", "build/site")


@pytest.mark.full
def test_thirty_rows_and_an_excel_file(bake_own, tmp_path):
    write_table(
        "import pandas as pd; pd.DataFrame({'größe': range(30), 'mixed': [1, 'b', None] * 10, 'y': [1.5 * n + n % 3 for n in range(30)]})"
        f".to_excel({str(tmp_path / 'small.xlsx')!r}, index=False)",
    )
    project = bake_own("small.xlsx", "y")
    figures = run_pipeline(project)
    assert task(project)["task"] == "regression"
    assert figures["holdout"]["rows"] == 6


@pytest.mark.full
def test_a_table_in_postgresql_and_its_password_is_written_nowhere(bake_own, postgres, monkeypatch):
    code = (
        "import numpy as np, pandas as pd, sqlalchemy; draw = np.random.default_rng(0);"
        "frame = pd.DataFrame({'order id': range(300), 'placed': pd.date_range('2024-01-01', periods=300, freq='D', tz='UTC'),"
        "'kind': draw.choice(['a', 'b', None], 300), 'value': draw.normal(size=300)});"
        "frame['returned'] = frame['value'] + (frame['kind'] == 'a') > 0.5;"
        f"frame.to_sql('Orders', sqlalchemy.create_engine({postgres.url.replace('postgresql', 'postgresql+psycopg')!r}), index=False)"
    )
    write_table(code)
    monkeypatch.setenv("DATABASE_PASSWORD", "s3cret")
    project = bake_own(f"postgresql://tester@{postgres.address}/postgres#Orders", "returned", time_column="placed")
    assert run_pipeline(project)["candidate"]["roc_auc"] > 0.9
    found = columns(project)
    assert (found["order id"]["role"], found["placed"]["type"], found["returned"]["role"]) == (
        "identifier",
        "date",
        "target",
    )
    assert postgres.address in project.read("data/raw/source.json")
    for file in project.path.rglob("*"):
        if file.is_file() and not {".venv", "tests", "vendor"} & set(file.relative_to(project.path).parts):
            assert b"s3cret" not in file.read_bytes(), file


@pytest.mark.full
def test_two_thousand_columns(bake_own, tmp_path):
    write_table(
        "import numpy as np, pandas as pd; x = np.random.default_rng(0).normal(size=(400, 2000)).astype('f4');"
        "frame = pd.DataFrame(x, columns=[f'gene {n}' for n in range(2000)]); frame['ill'] = x[:, 7] + x[:, 9] > 0;"
        f"frame.to_parquet({str(tmp_path / 'wide.parquet')!r})",
    )
    project = bake_own("wide.parquet", "ill")
    assert run_pipeline(project)["candidate"]["roc_auc"] > 0.6


@pytest.mark.full
def test_what_the_user_edits_in_the_schema_is_followed_and_kept(bake_own, tmp_path):
    rows = [f"{n},{n % 5},{n % 2},{'late' if n % 2 else 'on time'}" for n in range(100)]
    (tmp_path / "t.csv").write_text("\n".join(["id,x,outcome,y", *rows]))
    project = bake_own("t.csv", "y")
    run_pipeline(project)
    assert "leakage suspect" in columns(project)["outcome"]["why"]
    assert task(project)["classes"] == ["late", "on time"]
    changes = {
        "role: ignored, why: 'leakage": "role: feature, why: 'no leakage",
        "x: {type: integer": "x: {type: category",
    }
    project.edit("data/schema.yaml", changes)
    edited = project.read("data/schema.yaml")
    assert steps_run(project.run("dvc", "repro").stdout)[0] == "schema", "ingest need not run again"
    assert project.read("data/schema.yaml") == edited
    assert json.loads(project.read("reports/metrics.json"))["candidate"]["roc_auc"] == 1.0
    project.edit("params.yaml", {'target: "y"': 'target: "x"'})
    assert "data/schema.yaml gives that role to ['y']" in refused(project)
    assert project.read("data/schema.yaml") == edited


@pytest.mark.parametrize(
    ("text", "target", "words"),
    [
        ("a,b\n1,2\n3,4\n", "c", "there is no column 'c'; there is 'a', 'b'"),
        ("a,y\n" + "1,\n" * 40, "y", "column 'y': the target has no values"),
        ("a,y\n" + "1,0\n" * 40, "y", "column 'y': the target is always"),
        ("a,y\n" + "".join(f"{n},row{n}\n" for n in range(60)), "y", "column 'y': the target has 60 different texts"),
        ("a,y\n1,0\n2,1\n", "y", "too few"),
        ("a;y\n", "y", "no rows"),
        ("", "y", "empty"),
        ("a,y\n1,2\n1,2,3\n", "y", "line 3"),
    ],
)
def test_data_that_cannot_work_is_refused_before_training(bake_own, tmp_path, text, target, words):
    (tmp_path / "bad.csv").write_text(text)
    said = refused(bake_own("bad.csv", target))
    assert words in said
    assert "bad.csv" in said or "data/raw/table.parquet" in said or "params.yaml" in said
    assert "50_train" not in said


def test_one_class_in_the_newest_rows_is_refused_before_training(bake_own, tmp_path):
    rows = [
        f"{n % 7},2024-{1 + n // 28 % 12:02d}-{1 + n % 28:02d},{'no' if n < 150 and n % 2 else 'yes'}"
        for n in range(200)
    ]
    (tmp_path / "t.csv").write_text("\n".join(["x,day,y", *rows]))
    said = refused(bake_own("t.csv", "y", time_column="day"))
    assert "Split 'holdout'" in said
    assert "'yes'" in said


@pytest.mark.full
def test_new_data_that_breaks_the_schema_stops_and_that_has_moved_is_recorded(bake_own, tmp_path):
    def write(shift: float, word: str = "3", more: str = "") -> None:
        draw = random.Random(1)
        rows = [f"{draw.gauss(shift, 1):.3f},{draw.choice('abc')},{draw.randint(0, 1)}{more}" for _ in range(400)]
        (tmp_path / "t.csv").write_text("\n".join([f"x,kind,y{',new' if more else ''}", f"{word},a,1{more}", *rows]))

    write(0)
    project = bake_own("t.csv", "y")
    run_pipeline(project)
    assert json.loads(project.read("reports/validation.json"))["value_skew"] is False
    good = project.read("reports/metrics.json")
    write(0, word="far")
    assert "column 'x': 'far' in row 0" in refused(project)
    write(0, more=",1")
    assert "column 'new' is not in data/schema.yaml" in refused(project)
    assert project.read("reports/metrics.json") == good
    write(3)
    run_pipeline(project)
    verdict = json.loads(project.read("reports/validation.json"))
    assert verdict["value_skew"] is True
    assert {(finding["column"], finding["family"]) for finding in verdict["findings"]} >= {("x", "distribution")}


@pytest.mark.parametrize(
    ("answers", "words"),
    [
        ({"data_path": "no such.csv", "target": "y"}, "there is no file 'no such.csv'"),
        ({"data_path": "", "target": "y"}, "data_path: is empty"),
        ({"data_path": "https://x.org/a.csv", "target": ""}, "target: is empty"),
        ({"data_path": "postgresql://me:secret@h/db", "target": "y"}, "has a password in it"),
        ({"data": "flights", "target": "y"}, "target: 'y' is for your own data"),
    ],
)
def test_answers_about_the_data_that_cannot_work_are_refused(tmp_path, answers, words):
    command = [
        sys.executable,
        "-m",
        "cookiecutter",
        "--no-input",
        "--output-dir",
        str(tmp_path),
        str(TEMPLATE),
        "data=own",
    ]
    given = [f"{name}={value}" for name, value in answers.items()]
    said = subprocess.run([*command, *given], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    assert said.returncode != 0
    assert words in said.stderr
    assert not list(tmp_path.iterdir())
