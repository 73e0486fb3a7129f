"""Bad data, bad parameters, interrupted work: a message that names the culprit, and nothing lost."""

import os
import signal

import pytest
from baked import NOTHING_TO_DO, Project, contents, script, steps_run, tracked, wait_for

pytestmark = pytest.mark.slow


def spoil_raw(project: Project, table: str, change: str) -> None:
    """Change a raw table with pandas code on `frame`."""
    path = f"data/raw/{table}.parquet"
    script(project, f"import pandas as pd; frame = pd.read_parquet({path!r}); {change}; frame.to_parquet({path!r})")


def refused(project: Project, *repro: str) -> str:
    """Run the pipeline, expect it to stop with a message and no traceback, and return the message."""
    result = project.run("dvc", "repro", *repro, ok=False)
    said = result.stdout + result.stderr
    assert "ERROR: " in said
    assert "Traceback" not in said
    return said


@pytest.mark.parametrize(
    ("table", "change", "words"),
    [
        ("flights", "frame = frame.drop(columns='distance')", "column 'distance' is missing"),
        ("flights", "frame['seat'] = 1", "column 'seat' is not in data/schema.yaml"),
        ("flights", "frame['distance'] = frame['distance'].astype(str).where(frame.index != 7, 'far')", "'far' in row 7"),
        ("weather", "frame.loc[3, 'humid'] = 140.0", "column 'humid': 140.0 in row 3"),
        ("planes", "frame = pd.concat([frame, frame.head(1)])", "column 'tailnum'"),
        ("planes", "frame['tailnum'] = 'X' + frame['tailnum']", "only 0.0% of the flights find their row by tailnum"),
        ("airports", "frame = frame.head(0)", "data/raw/airports.parquet has no rows"),
    ],
)  # fmt: skip
def test_bad_table_is_refused_by_name_and_nothing_is_lost(project, table, change, words):
    good = project.read("reports/validation.json")
    spoil_raw(project, table, change)
    said = refused(project, "--single-item", "validate")
    assert f"data/raw/{table}.parquet" in said
    assert words in said
    assert "20_validate.ipynb, cell" in said
    assert words.split("'")[0] in project.read("reports/20_validate.failed.ipynb")
    assert project.read("reports/validation.json") == good
    project.run("dvc", "checkout", "--force")
    assert NOTHING_TO_DO in project.run("dvc", "repro").stdout


def test_labels_that_the_clocks_contradict_are_refused(project):
    good = project.read("reports/cleaning.json")
    spoil_raw(project, "flights", "frame['arr_delay'] += 60")
    assert "labels are doubtful: arr_delay is more than 5 minutes off" in refused(project, "--single-item", "clean")
    assert project.read("reports/cleaning.json") == good


def test_missing_raw_file_is_named_outside_the_pipeline(project, tmp_path):
    (project.path / "data" / "raw" / "weather.parquet").unlink()
    command = [
        "papermill",
        "notebooks/20_validate.ipynb",
        str(tmp_path / "out.ipynb"),
        "-k",
        "python3",
        "--cwd",
        "notebooks",
    ]
    said = project.run(*command, ok=False).stderr
    assert "../data/raw/weather.parquet is missing. `dvc repro` makes it, `dvc pull` brings it" in said
    assert steps_run(project.run("dvc", "repro").stdout) in (["ingest"], [])
    assert (project.path / "data" / "raw" / "weather.parquet").is_file()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"learning_rate: 0.08": "learning_rat: 0.08"}, "did you mean 'learning_rate'?"),
        (
            {"learning_rate: 0.08": "learning_rate: fast"},
            "`train.hist_gradient_boosting` has `learning_rate` that is 'fast' (str); it must be float",
        ),
        ({'"2013-02-15"': "2013-02-15"}, "Unsupported value of type 'date' in 'params.yaml:clean.validation_from'"),
        ({'"2013-02-15"': "soon"}, "'soon' is not a day like 2013-09-01"),
        ({'"2013-03-10"': '"2014-01-01"'}, "No rows in split holdout"),
        ({"- distance": "- dep_delay"}, "dep_delay is known only after departure"),
        ({"- distance": "- distanze"}, "there is no distanze"),
        ({"months: [1, 2, 3]": "months: [1, 13]"}, "no flights in month [13]"),
        ({"months: [1, 2, 3]": "months: [1, '2']"}, "`ingest.months` has an element that is '2' (str)"),
        ({"learning_rate: 0.08": "learning_rate: 0.08\n    learning_rate: 0.1"}, "params.yaml"),
    ],
)
def test_bad_parameter_is_refused_by_name_and_nothing_is_lost(project, change, words):
    good = contents(project)
    project.edit("params.yaml", change)
    assert words in refused(project)
    for path, content in good.items():
        assert (project.path / path).read_bytes() == content, path


def test_killed_step_leaves_nothing_half_written_and_repro_goes_on(project):
    project.edit("params.yaml", {"max_iter: 300": "max_iter: 40"})
    process = project.start("dvc", "repro")
    wait_for((project.path / "reports" / ".partial-50_train.ipynb").exists)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert not (project.path / "reports" / "50_train.ipynb").exists()
    left = ["train", "evaluate", "inspect", "backtest", "register"]
    assert steps_run(project.run("dvc", "repro").stdout) == left
    after = project.read("dvc.lock")
    project.run("dvc", "repro", "--force", "--single-item", "train")
    assert project.read("dvc.lock") == after
    assert not list(project.path.glob("*/.partial-*"))


def test_interrupted_step_puts_the_last_good_outputs_back(project):
    good = contents(project)
    project.edit("params.yaml", {"max_iter: 300": "max_iter: 41"})
    process = project.start("dvc", "repro")
    wait_for((project.path / "reports" / ".partial-50_train.ipynb").exists)
    os.killpg(process.pid, signal.SIGINT)
    assert process.wait() != 0
    for path, content in good.items():
        assert (project.path / path).read_bytes() == content, path
    assert not list(project.path.glob("*/.partial-*"))
    code = "print(*mlflow.search_runs(filter_string=\"params.`hist_gradient_boosting.max_iter` = '41'\")['status'])"
    assert tracked(project, code).split() == ["KILLED"]
    left = project.run("git", "status", "--porcelain", "--ignored", "notebooks").stdout
    assert left == "", "sockets or caches of the kernel"
