"""The pipeline of a generated project, on three months of real flights, with DVC, papermill and MLflow as they are."""

import json
from pathlib import Path

import nbformat
import pytest
from baked import NOTHING_TO_DO, STEPS, Project, hashes, output_files, share_environment, steps_run, tracked
from hosted import Collector

pytestmark = pytest.mark.slow
LIBRARY = "vendor/stagebook/stagebook"
AFTER_TRAINING = STEPS[STEPS.index("train") :]


def test_second_repro_does_nothing_and_a_forced_one_changes_no_byte(project):
    """Its OpenLineage events link the chain from raw data to the model, and each step to its run."""
    before = project.read("dvc.lock")
    assert NOTHING_TO_DO in project.run("dvc", "repro").stdout
    with Collector() as collector:
        again = project.run("dvc", "repro", "--force", OPENLINEAGE_URL=collector.address)
    assert steps_run(again.stdout) == STEPS
    assert project.read("dvc.lock") == before
    check_events(project, collector.received)


def check_events(project: Project, told: list[dict]) -> None:
    ended = {event["job"]["name"]: event for event in told if event["eventType"] == "COMPLETE"}
    assert len(told) == 2 * len(ended) == 20
    runs = set(tracked(project, "print(*mlflow.search_runs()['run_id'])").split())
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


def test_another_clone_in_another_folder_gives_the_same_lock_and_the_data_pushed_comes_back(sample, tmp_path):
    """The clone trains with another number of threads, in an empty cache; then everything comes from the remote."""
    clone = Project(tmp_path / "elsewhere" / "clone")
    sample.run("git", "clone", "--quiet", str(sample.path), str(clone.path))
    share_environment(clone)
    lock = sample.read("dvc.lock")
    (clone.path / "dvc.lock").unlink()
    try:
        assert steps_run(clone.run("dvc", "repro", OMP_NUM_THREADS="1").stdout) == STEPS
        assert clone.read("dvc.lock") == lock
        assert clone.run("git", "status", "--porcelain").stdout == ""
        models = {path for path in output_files(clone) if path.startswith("models/")}
        kinds = {f"models/{name}/model.{kind}" for name in ("baseline", "candidate") for kind in ("onnx", "skops")}
        assert kinds < models
        for path in output_files(sample):
            assert (clone.path / path).read_bytes() == (sample.path / path).read_bytes(), path
            (clone.path / path).unlink()
        clone.run("git", "checkout", "--quiet", "--", ".")  # data/baseline.json is in git, not in the remote
        clone.run("rm", "-rf", ".dvc/cache")
        sample.run("dvc", "push")
        url = sample.run("dvc", "config", "remote.storage.url").stdout.strip()
        clone.run("dvc", "remote", "modify", "--local", "storage", "url", str((sample.path / ".dvc" / url).resolve()))
        clone.run("dvc", "pull")
        for path in output_files(sample):
            assert (clone.path / path).read_bytes() == (sample.path / path).read_bytes(), path
        assert NOTHING_TO_DO in clone.run("dvc", "repro").stdout
    finally:
        clone.stop()


def stale(project: Project) -> set[str]:
    """The stages of which `dvc status` says that a dependency has changed."""
    return set(json.loads(project.run("dvc", "status", "--json", "dvc.yaml").stdout))


def add_line(project: Project, file: str) -> None:
    path = project.path / file
    path.write_text(path.read_text(encoding="utf-8") + "\n# A comment.\n", encoding="utf-8")


def room(project: Project, name: str) -> str:
    """A module of a room of the library."""
    [module, *_] = sorted(path for path in (project.path / LIBRARY / name).glob("*.py") if path.name != "__init__.py")
    return module.relative_to(project.path).as_posix()


def test_a_step_is_stale_when_what_changes_its_result_changed_and_not_otherwise(project):
    assert stale(project) == set()
    for name in (
        "cli",
        "scaffold",
        "automate",
        "step",
        "step/warm",
        "pages/catalog",
        "pages/compare",
        "pages/site",
        "serve",
    ):
        add_line(project, room(project, name))
    for folder in (f"{LIBRARY}/data", f"{LIBRARY}/model", "code/flight_delays", "code/flight_delays/models"):
        (project.path / folder / "__pycache__").mkdir(exist_ok=True)
        (project.path / folder / "__pycache__" / "new.cpython-311.pyc").write_bytes(b"x")
    (project.path / "vendor/stagebook/stagebook.egg-info").mkdir(exist_ok=True)
    (project.path / "vendor/stagebook/stagebook.egg-info/PKG-INFO").write_text("Name: stagebook\n")
    assert stale(project) == set()
    changes = {
        room(project, "evaluate"): {"evaluate", "inspect", "backtest", "register"},
        room(project, "model"): set(AFTER_TRAINING),
        room(project, "request"): {"request", "register"},
        room(project, "gate"): {"evaluate", "register"},
        room(project, "card"): {"register"},
        room(project, "registry"): {"register"},
        room(project, "track"): {"train", "register"},
        room(project, "data"): set(STEPS),
        "code/flight_delays/models/candidates.py": {"train", "backtest"},
        "code/flight_delays/features/registry.py": {"clean", "features", "request", "register"},
        "code/flight_delays/datasets/arrivals.py": {"clean"},
    }
    for file, steps in changes.items():
        content = (project.path / file).read_bytes()
        add_line(project, file)
        assert stale(project) == steps, file
        (project.path / file).write_bytes(content)
    add_line(project, room(project, "evaluate"))
    said = project.run("dvc", "repro", "--dry", "--force-downstream").stdout
    assert steps_run(said) == STEPS[STEPS.index("evaluate") :]


def test_days_counted_back_are_a_matter_of_parameters(project):
    project.edit("params.yaml", {'"2013-02-15"': "-45 days", '"2013-03-10"': "-22 days"})
    project.run("dvc", "repro", "features")
    assert project.load("reports/cleaning.json")["dropped"]["diverted"] > 0
    project.run("pytest", "--quiet", "tests/data_validation")


def test_another_season_is_recorded_as_value_skew_and_stops_nothing(project):
    assert project.load("reports/validation.json")["value_skew"] is False
    project.edit("params.yaml", {"months: [1, 2, 3]": "months: [1, 2, 3, 7]"})
    project.run("dvc", "repro", "validate")
    verdict = project.load("reports/validation.json")
    assert verdict["value_skew"] is True
    found = {(finding["table"], finding["column"], finding["family"]) for finding in verdict["findings"]}
    assert {("weather", "temp", "distribution"), ("weather", "temp", "out_of_distribution")} <= found
    assert "Value skew: " in project.run("stagebook", "summary").stdout


def test_edited_notebook_is_exported_before_it_is_used(project):
    project.edit("notebooks/40_features.ipynb", {'LABEL = \\"late\\"': 'LABEL = \\"late\\"  # the outcome'})
    output = project.run("make", "pipeline").stdout
    assert "# the outcome" in project.read("code/flight_delays/features/build.py")
    assert steps_run(output) == ["features", "request"], "a comment changes no data: only what imports the module runs"


def test_edited_module_is_used_at_once(project):
    module = project.path / "code/flight_delays/datasets/arrivals.py"
    module.write_text(module.read_text(encoding="utf-8") + "\nprint('edited')\n", encoding="utf-8")
    assert "edited" in project.run("stagebook", "run", "notebooks/30_clean.ipynb").stdout


def test_stock_papermill_runs_a_step(project, tmp_path):
    out = tmp_path / "out.ipynb"
    model = project.path / "models" / "candidate" / "model.onnx"
    before = model.read_bytes()
    model.unlink()
    project.run("papermill", "notebooks/50_train.ipynb", str(out), "-k", "python3", "--cwd", "notebooks")
    assert model.read_bytes() == before
    assert "has the lowest loss" in out.read_text()


def test_metrics_that_somebody_edited_are_refused_by_the_gate(project):
    true = json.loads(project.read("reports/metrics.json"))["candidate"]["roc_auc"]
    edited = project.read("reports/metrics.json").replace(f'"roc_auc": {true}', '"roc_auc": 0.99')
    (project.path / "reports" / "metrics.json").write_text(edited)
    project.run("dvc", "commit", "--quiet", "--force", "evaluate")
    project.run("dvc", "repro", "register")
    said = project.run("stagebook", "gate", ok=False).stdout
    assert f"candidate.roc_auc is 0.99, the model reaches {true}" in said
    assert said.endswith("version 1: refused\n")


@pytest.mark.full
def test_every_notebook_runs_top_to_bottom_with_its_defaults(own_copy):
    for notebook in sorted((own_copy.path / "notebooks").glob("*.ipynb")):
        own_copy.run("jupyter", "execute", "--kernel_name=python3", str(notebook))
    assert own_copy.run("git", "status", "--porcelain").stdout == ""
    assert not list((own_copy.path / "notebooks").glob("mlflow.db")) + list(Path(own_copy.path).glob("mlflow.db"))
    assert own_copy.load("data/raw/source.json")["tables"]["flights"]["rows"] == 336776
    assert own_copy.load("reports/cleaning.json")["dropped"] == {"expired": 0, "cancelled": 8255, "diverted": 1175}
    for notebook in (own_copy.path / "notebooks").glob("*.ipynb"):
        assert not any(cell.get("outputs") for cell in nbformat.read(notebook, as_version=4).cells)
