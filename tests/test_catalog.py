"""The catalog and the lineage of a generated project, as its users make and read them."""

import json
import re

import pytest
from conftest import Project, boosting, hashes, script

pytestmark = pytest.mark.slow


def pages(project: Project) -> dict[str, str]:
    return {file.name: file.read_text(encoding="utf-8") for file in (project.path / "docs" / "data").glob("*.md")}


def events(project: Project) -> list[dict]:
    return [json.loads(line) for line in project.read("lineage.jsonl").splitlines()]


def test_each_table_has_a_page_with_the_figures_of_the_file(project):
    project.run("make", "catalog")
    assert project.run("git", "status", "--porcelain").stdout == "", "the sample's own catalog was not up to date"
    tables = [path for path in hashes(project) if path.startswith("data/") and path.endswith(".parquet")]
    code = (
        "import json, sys, pandas as pd; frames = {path: pd.read_parquet(path) for path in sys.argv[1:]};"
        "print(json.dumps({path: frame.shape for path, frame in frames.items()}))"
    )
    figures = json.loads(project.run("python", "-c", code, *tables).stdout)
    for path in tables:
        page = pages(project)[path.removeprefix("data/").replace("/", "-").replace(".parquet", ".md")]
        rows, columns = figures[path]
        for line in (f"| rows | {rows:,} |", f"| columns | {columns:,} |", f"| md5 | `{hashes(project)[path]}` |"):
            assert line in page, path
        assert len(re.findall(r"^\| (?:`|<code>)", page, re.MULTILINE)) == columns
    flights = pages(project)["raw-flights.md"]
    assert re.search(r"^\| `tailnum` \| `string` \|  \| [\d.]+% \| yes: drop \| plane", flights, re.MULTILINE)
    assert "One row per flight" in flights


def test_lineage_names_each_step_and_ends_in_the_version_of_the_model(project):
    diagram = pages(project)["README.md"].partition("```mermaid\n")[2].partition("```")[0]
    for step in ("ingest", "validate", "clean", "features", "train", "evaluate", "inspect", "backtest", "register"):
        assert f'(["{step}"])' in diagram
    decision = json.loads(project.read("reports/registration.json"))
    assert f"flight-delays version {decision['version']}<br>{decision['alias']}" in diagram


def test_another_model_makes_the_catalog_stale_until_it_is_written(project):
    project.run("make", "check")
    project.edit("params.yaml", boosting(6))
    assert "docs/data is stale: `make catalog` writes it" in project.run("make", "pipeline").stdout
    said = project.run("make", "check", ok=False).stderr
    assert "`make catalog` writes it" in said
    assert "models/candidate has changed" in said
    project.run("git", "add", "--all")
    assert "`make catalog`" in project.run("git", "commit", "--message", "Stale", ok=False).stderr
    project.run("make", "fix")
    project.run("make", "check")
    assert "stale" not in project.run("make", "pipeline").stdout


def test_a_clone_without_data_passes_the_check(project):
    for file in project.path.glob("data/*/*.parquet"):
        file.unlink()
    project.run("make", "check")
    said = project.run("make", "catalog", ok=False).stderr
    assert "data/raw/flights.parquet" in said
    assert "`dvc pull`" in said


def test_events_link_the_chain_from_raw_data_to_the_model_and_each_step_to_its_run(project):
    before = len(events(project))
    project.run("dvc", "repro", "--force")
    told = events(project)[before:]
    ended = {event["job"]["name"]: event for event in told if event["eventType"] == "COMPLETE"}
    assert len(told) == 2 * len(ended) == 18
    code = (
        "import mlflow; from flight_delays.pipeline.tracking import connect_mlflow; connect_mlflow();"
        "print(*mlflow.search_runs()['run_id'])"
    )
    runs = set(script(project, code).split())
    assert {event["run"]["facets"]["mlflow_run"]["run_id"] for event in told} <= runs
    assert len({event["run"]["facets"]["parent"]["run"]["runId"] for event in told}) == 1

    def datasets(step: str, side: str) -> dict[str, str]:
        return {data["name"]: data["facets"]["version"]["datasetVersion"] for data in ended[step][side]}

    known = hashes(project)
    chain = [
        ("ingest", "data/raw/flights.parquet", "clean"),
        ("clean", "data/interim/flights.parquet", "features"),
        ("features", "data/processed/train.parquet", "train"),
        ("train", "models/candidate", "register"),
    ]
    for writer, path, reader in chain:
        assert datasets(writer, "outputs")[path] == datasets(reader, "inputs")[path] == known[path]
    [flights] = [data for data in ended["ingest"]["outputs"] if data["name"] == "data/raw/flights.parquet"]
    assert {"name": "dep_time", "type": "double", "fields": []} in flights["facets"]["schema"]["fields"]
