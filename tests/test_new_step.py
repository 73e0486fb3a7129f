"""`make step`: what it adds runs at once, passes the project's own checks, and changes nothing else."""

import json

import pytest
from baked import NOTHING_TO_DO, Project, bake_ready, steps_run

pytestmark = pytest.mark.slow


def written(project: Project) -> dict[str, str]:
    """What git says has changed, by path."""
    lines = project.run("git", "status", "--porcelain", "--untracked-files=all").stdout.splitlines()
    return {line[3:]: line[:2].strip() for line in lines}


def check_added(project: Project, name: str) -> dict:
    """The report of the step that has just been added and run; the executed notebook and its page are there."""
    [notebook] = (project.path / "notebooks").glob(f"[0-9]*_{name}.ipynb")
    for suffix in ("ipynb", "html"):
        assert (project.path / "reports" / f"{notebook.stem}.{suffix}").is_file()
    return json.loads(project.read(f"reports/{name}.json"))


def test_a_step_is_added_runs_and_passes_the_checks_of_the_project(project):
    files = project.read("dvc.yaml"), project.read("params.yaml")
    project.run("make", "step", "NAME=outliers")
    assert written(project) == {
        "dvc.yaml": "M",
        "params.yaml": "M",
        "code/flight_delays/features/outliers.py": "??",
        "notebooks/45_outliers.ipynb": "??",
        "tests/unit/test_outliers.py": "??",
    }
    removed = project.run("git", "diff", "--numstat").stdout.split()[1::3]
    assert removed == ["0", "0"], "lines are added, none is changed"
    assert (project.read("dvc.yaml"), project.read("params.yaml")) != files
    result = project.run("make", "pipeline")
    assert steps_run(result.stdout) == ["outliers"]
    report = check_added(project, "outliers")
    assert report["rows"] > 1000 and report["far"]["precip"] > 0
    assert "late" not in report["far"], "neither the label nor the keys"
    project.run("make", "check")
    project.run("nbdev-test")
    project.run("pytest", "--quiet", "tests/unit/test_outliers.py")
    assert NOTHING_TO_DO in project.run("make", "pipeline").stdout


def test_a_parameter_of_the_new_step_reaches_it(project):
    project.run("make", "step", "NAME=far_values")
    project.run("dvc", "repro")
    before = check_added(project, "far_values")["far"]
    project.edit("params.yaml", {"fences: 3.0": "fences: 1.5"})
    assert steps_run(project.run("dvc", "repro").stdout) == ["far_values"]
    assert check_added(project, "far_values")["far"]["precip"] >= before["precip"]
    assert check_added(project, "far_values")["far"] != before


def test_a_step_right_after_the_first_reads_what_is_there_by_then(project):
    project.run("make", "step", "NAME=first_look", "AFTER=ingest")
    assert "notebooks/15_first_look.ipynb" in written(project)
    assert steps_run(project.run("dvc", "repro").stdout) == ["first_look"]
    assert check_added(project, "first_look")["rows"] > 1000
    project.run("stagebook", "check", "wiring")
    project.run("pytest", "--quiet", "tests/unit/test_first_look.py")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["NAME=2nd"], "NAME='2nd': take lower-case letters"),
        (["NAME="], "NAME='': take lower-case letters"),
        (["NAME=it's $(touch x)"], "take lower-case letters"),
        (["NAME=class"], "keyword of Python"),
        (["NAME=train"], "there is such a step already; there are ingest, validate,"),
        (["NAME=arrivals"], "there is code/flight_delays/datasets/arrivals.py already"),
        (["NAME=new", "AFTER=nowhere"], "there is no such step; there are ingest, validate,"),
        (["NAME=new", "AFTER=inspect"], "no number is free between 65 and 66"),
    ],
)
def test_what_cannot_be_added_is_said_in_one_line_and_nothing_is_left(project, words, said):
    result = project.run("make", "step", *words, ok=False)
    [line] = [line for line in result.stderr.splitlines() if not line.startswith("make")]
    assert line.startswith("ERROR: ") and said in line
    assert written(project) == {}


def test_steps_in_a_project_of_own_data(tmp_path):
    rows = "\n".join(f"{n},{n % 7},{'red' if n % 3 else 'blue'},{n % 2}" for n in range(400))
    (tmp_path / "a.csv").write_text(f"price $,pieces,colour,sold\n{rows}\n9999999,1,red,1\n")
    answers = {"data": "own", "data_path": str(tmp_path / "a.csv"), "target": "sold", "project_slug": "own-steps"}
    project = bake_ready(tmp_path, **answers)
    project.run("make", "step", "NAME=first_look", "AFTER=ingest")
    project.run("make", "step", "NAME=outliers")
    assert {"notebooks/12_first_look.ipynb", "notebooks/45_outliers.ipynb"} <= written(project).keys()
    try:
        project.run("dvc", "repro", "outliers", "first_look")
    finally:
        project.stop()
    assert check_added(project, "first_look")["far"]["price $"] > 0
    assert "sold" not in check_added(project, "outliers")["far"]
    project.run("make", "check")
    project.run("nbdev-test", "--file-re", "12_first_look|45_outliers")
    project.run("pytest", "--quiet", "tests/unit/test_first_look.py", "tests/unit/test_outliers.py")
