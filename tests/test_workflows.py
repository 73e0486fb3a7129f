"""Workflows are checked by schema and audit, then executed: each step, in order, in a clean clone on a bare machine."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import Project, contents, find_python
from hosted import GitHub, Runner, plain_environment
from ruamel.yaml import YAML
from test_modelling import Borrower
from test_options import OWN

WORKFLOWS = ("ci", "pipeline", "train", "release")
TOKEN = "ghs_of-this-test"


def load(file: Path) -> dict:
    return YAML(typ="safe").load(file.read_text(encoding="utf-8"))


def tool(name: str, *words: str) -> subprocess.CompletedProcess:
    return subprocess.run([Path(sys.executable).with_name(name), *words], capture_output=True, text=True, check=False)


# What can be said without running them


@pytest.mark.parametrize("answers", [{}, {"ci": "both", "remote": "azure"}, OWN | {"remote": "s3", "ci": "gitlab"}])
def test_files_for_the_host_are_what_their_schemas_say(bake, answers):
    project = bake(**answers)
    github, gitlab = project.path / ".github", project.path / ".gitlab-ci.yml"
    assert github.exists() is (answers.get("ci") != "gitlab")
    assert gitlab.exists() is (answers.get("ci") in ("gitlab", "both"))
    files = {"gitlab-ci": [gitlab]} if gitlab.exists() else {}
    if github.exists():
        files["github-workflows"] = list((github / "workflows").iterdir())
        files["github-actions"] = [github / "actions" / "prepare" / "action.yaml"]
        files["github-issue-forms"] = list((github / "ISSUE_TEMPLATE").glob("[0-9]*"))
        files["github-issue-config"] = [github / "ISSUE_TEMPLATE" / "config.yml"]
        files["dependabot"] = [github / "dependabot.yml"]
        audit = tool("zizmor", "--offline", "--quiet", "--min-severity=medium", str(github))
        assert audit.returncode == 0, audit.stdout
    for schema, of_this in files.items():
        said = tool("check-jsonschema", "--builtin-schema", f"vendor.{schema}", *map(str, of_this))
        assert said.returncode == 0, said.stdout


@pytest.mark.parametrize("name", WORKFLOWS)
def test_workflow_asks_for_little_and_holds_no_logic(bake, name):
    project = bake()
    workflow = load(project.path / ".github" / "workflows" / f"{name}.yaml")
    assert workflow["permissions"] == {"contents": "read"}
    assert workflow["concurrency"]
    verbs = re.findall(r"^([a-z-]+):", project.read("Makefile"), re.MULTILINE)
    for job in workflow["jobs"].values():
        assert job["timeout-minutes"]
        for step in job["steps"]:
            if "uses" in step and not step["uses"].startswith("./"):
                assert re.fullmatch(r"actions/[\w-]+@[0-9a-f]{40}", step["uses"])
            for line in step.get("run", "").splitlines():
                assert re.match(r"make (\w+)|git ", line), line
                assert line.startswith("git ") or re.match(r"make ([\w-]+)", line)[1] in verbs
            assert "${{" not in step.get("run", ""), "text of others in a shell"


@pytest.mark.parametrize(("version", "versions"), [("3.11", ["3.11", "3.12", "3.13"]), ("3.13", ["3.13"])])
def test_workflows_test_the_supported_pythons(bake, version, versions):
    project = bake(python_version=version, ci="both")
    job = load(project.path / ".github" / "workflows" / "ci.yaml")["jobs"]["check"]
    assert job["strategy"]["matrix"]["python"] == versions
    prepare = load(project.path / ".github" / "actions" / "prepare" / "action.yaml")
    assert prepare["inputs"]["python"]["default"] == version
    steps = load(project.path / ".github" / "workflows" / "release.yaml")["jobs"]["build"]["steps"]
    assert [step["with"]["python-version"] for step in steps if "setup-python" in step.get("uses", "")] == [version]
    assert load(project.path / ".gitlab-ci.yml")["check"]["parallel"]["matrix"] == [{"PYTHON": versions}]


@pytest.mark.parametrize(
    ("answers", "secrets"),
    [
        ({}, []),
        ({"remote": "s3"}, ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"]),
        ({"remote": "azure"}, ["AZURE_STORAGE_CONNECTION_STRING"]),
        ({"tracking": "server"}, ["MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD"]),
    ],
)
def test_workflows_have_the_secrets_of_the_chosen_stores_and_no_others(bake, answers, secrets):
    project = bake(**answers)
    for name in ("pipeline", "train", "release"):
        text = project.read(f".github/workflows/{name}.yaml")
        found = re.findall(r"^ +(\w+): \$\{\{ secrets\.(\w+) \}\}$", text, re.MULTILINE)
        assert found == [(one, one) for one in secrets if name != "release" or not one.startswith("MLFLOW")]
        assert text.count("secrets.") == len(found)
        assert not re.search(r"# (remote|tracking):", text)


def test_each_kind_of_issue_leads_to_the_next_and_has_a_label(bake):
    project = bake(ci="both")
    forms = {path.name: load(path) for path in sorted((project.path / ".github" / "ISSUE_TEMPLATE").glob("[0-9]*"))}
    labels = load(project.path / "docs" / "labels.yaml")
    names = [form["name"] for form in forms.values()]
    assert names == ["Ask", "Data Acquisition", "Data Create", "Explore", "Experiment", "Model"]
    order = [*forms, next(iter(forms))]
    for form, after in zip(forms.values(), order[1:], strict=True):
        assert set(form["labels"]) <= set(labels)
        assert f"template={after})" in form["body"][-1]["attributes"]["value"]
        [markdown] = (project.path / ".gitlab" / "issue_templates").glob(f"{form['name'].replace(' ', '_')}.md")
        assert all(field["attributes"].get("label", "") in markdown.read_text() for field in form["body"])


@pytest.mark.parametrize("answers", [{}, OWN | {"ci": "gitlab"}])
def test_six_roles_own_the_code_and_each_document_says_whose_it_is(bake, answers):
    project = bake(**answers)
    lines = project.read(".gitlab/CODEOWNERS" if "ci" in answers else ".github/CODEOWNERS").splitlines()
    owners = {pattern.lstrip("/"): teams for pattern, *teams in (line.split() for line in lines if line[:1] in "*/")}
    assert len({team for teams in owners.values() for team in teams}) == 6
    for pattern in owners:
        assert pattern == "models/champion.dvc" or list(project.path.glob(pattern)), pattern
    for document in (project.path / "docs").glob("*.md"):
        [role] = re.findall(r"\A#.+\n\nOwner: ([\w ]+)\.", document.read_text(encoding="utf-8"))
        [team] = owners.get(f"docs/{document.name}", owners["*"])
        assert team.lower() == f"@edit-me/{role.lower().replace(' ', '-')}s", document.name


# Executed


@pytest.fixture
def github():
    server = GitHub()
    yield server
    server.server.shutdown()


@pytest.fixture(scope="module")
def origin(sample, tmp_path_factory):
    """A bare repository with the sample in it, its champion kept, and a remote that has the data."""
    folder = tmp_path_factory.mktemp("hosted")
    bare, author = folder / "o" / "r.git", Borrower(folder / "author")
    subprocess.run(["git", "clone", "--quiet", "--bare", str(sample.path), str(bare)], check=True)
    author.path.mkdir()
    author.run("git", "clone", "--quiet", str(bare), ".")
    borrow(author, sample)
    author.run("dvc", "remote", "modify", "storage", "url", str(folder / "storage"))
    author.run("dvc", "cache", "dir", "--local", str(sample.path / ".dvc" / "cache"))
    author.run("dvc", "checkout", "--quiet")
    author.run("make", "judge", "champion", "catalog")
    author.commit("The champion")
    author.run("git", "push", "--quiet", "origin", "HEAD:main")
    author.run("dvc", "push", "--quiet")
    yield folder
    author.run("python", "-m", "flight_delays.pipeline", "stop")


def borrow(project: Project, sample: Project) -> None:
    """Let a clone use the sample's environment: to install it anew takes longer than all that is tested here."""
    (project.path / ".venv").symlink_to(sample.path / ".venv")
    (project.path / ".git" / "info" / "exclude").write_text(".venv\n")  # .gitignore means a folder, not a link
    (project.path / ".venv" / ".ready").touch()


@pytest.fixture
def clone(origin, sample, github, tmp_path):
    """Return a runner in a clean clone of what is at the origin now."""
    runners = []

    def start(**known: str) -> Runner:
        folder = tmp_path / f"runner {len(runners)}"
        subprocess.run(["git", "clone", "--quiet", str(origin / "o" / "r.git"), str(folder)], check=True)
        borrow(Project(folder), sample)
        environment = plain_environment(tmp_path / "bin") | {
            "PYTHONPATH": str(folder / "code"),
            "GITHUB_REPOSITORY": "o/r",
            "GITHUB_API_URL": github.address,
            "GITHUB_SERVER_URL": f"file://{origin}",
            "GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md"),
        }
        (tmp_path / "home").mkdir(exist_ok=True)
        runners.append(Runner(folder, KNOWN | known, environment, tmp_path / "home"))
        return runners[-1]

    yield start
    for runner in runners:
        Borrower(runner.folder).run("python", "-m", "flight_delays.pipeline", "stop", ok=None)


KNOWN = {
    "matrix.python": "3.11",
    "vars.MLFLOW_TRACKING_URI": "",
    "github.token": TOKEN,
    "github.event.repository.default_branch": "main",
    "github.base_ref": "main",
    "github.ref_name": "main",
    "github.event.pull_request.head.sha": "",
    "github.event.pull_request.head.repo.full_name == github.repository": "true",
    "github.event.pull_request.number": "7",
    "steps.pages.outputs.artifact-url": "https://example.com/artefact",
    "inputs.parameters": "",
    "github.event.client_payload.parameters": "",
    "vars.DEPLOY_PAGES == 'true'": "false",
}
MAY = "ingest.months=[1,2,3,4,5] clean.validation_from='2013-04-10' clean.holdout_from='2013-05-10'"


def tracked_by_git(origin: Path, branch: str, file: str) -> str:
    words = ["git", "--git-dir", str(origin / "o" / "r.git"), "show", f"{branch}:{file}"]
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout


@pytest.mark.slow
def test_ci_passes_in_a_clean_clone_on_a_bare_machine(bake, tmp_path):
    """On the newest Python that this machine has; the other tests take the oldest."""
    project = bake()
    project.run("git", "init", "--quiet", "--initial-branch=main")
    project.commit("As generated")
    subprocess.run(["git", "clone", "--quiet", str(project.path), str(tmp_path / "clone")], check=True)
    (tmp_path / "home").mkdir()
    python = find_python("3.13") or find_python("3.12") or sys.executable
    runner = Runner(tmp_path / "clone", KNOWN, plain_environment(tmp_path / "bin", str(python)), tmp_path / "home")
    runner.run("ci.yaml", "check")
    assert re.search(r"\d+ passed", runner.said["make test"])
    assert "version 1 is champion" in runner.said["make sample"]
    assert {
        f"build/sample/reports/{name}" for name in ("70_register.html", "card/model_card.html")
    } <= runner.artefacts["sample-3.11"]
    (tmp_path / "clone" / "left-over.txt").write_text("x")
    nothing_changed = next(command for command in runner.said if command.startswith("git diff"))
    runner._shell(nothing_changed, {})
    assert runner.failed == nothing_changed


@pytest.mark.slow
def test_pull_request_gets_one_comment_that_is_kept_up_to_date(origin, clone, github):
    runner = clone()
    changed = Borrower(runner.folder)
    changed.edit("params.yaml", {"C: 1.0": "C: 0.01", "model: best": "model: linear"})
    runner.run("pipeline.yaml", "pipeline")
    assert "reports/compare.html" in runner.artefacts["pipeline"]
    assert "build/site/index.html" in runner.artefacts["pipeline"]
    [comment] = github.things["comments"]
    text = comment["body"]
    assert text.startswith("<!-- report of the notebook pipeline -->\n## The gate refuses flight-delays version 2")
    assert re.search(r"gain over the champion -0\.\d+ is below 0\.002", text)
    assert re.search(r"\| `candidate.roc_auc` \| 0\.\d+ \| 0\.\d+ \| -0\.\d+ \|", text)
    assert "| `train.linear.C` | 1 | 0.01 | -0.99 |" in text
    assert "(https://example.com/artefact)" in text
    assert text.split("\n[The pages")[0] == Path(runner.environment["GITHUB_STEP_SUMMARY"]).read_text()
    assert github.tokens == {f"Bearer {TOKEN}"}
    github.things["comments"][:0] = [{"id": 90 + n, "body": "Somebody else's"} for n in range(3)]  # on other pages
    changed.edit("params.yaml", {"C: 0.01": "C: 1.0", "model: linear": "model: best"})
    runner.run("pipeline.yaml", "pipeline")
    assert len(github.things["comments"]) == 4
    assert "passes the gate" in github.things["comments"][-1]["body"]

    calls = len(github.calls)
    fork = clone(**{"github.event.pull_request.head.repo.full_name == github.repository": "false"})
    Project(fork.folder).edit(".dvc/config", {str(origin / "storage"): "s3://not-for-forks/storage"})
    fork.run("pipeline.yaml", "pipeline")
    assert "the pipeline makes what is missing" in fork.said["make pull"]
    assert "reports/pull_request.md" in fork.artefacts["pipeline"]
    assert len(github.calls) == calls


@pytest.mark.slow
def test_training_on_new_months_changes_the_champion_and_the_gate_keeps_it_from_a_worse_one(origin, clone, github):
    champion = tracked_by_git(origin, "main", "models/champion.dvc")
    scheduled = {"github.event.repository.default_branch": ""}  # which GitHub does not tell a schedule
    nothing = clone(**scheduled)
    nothing.run("train.yaml", "train")
    assert "Nothing changed" in nothing.said["make propose"]
    assert "models/champion stays as it is" in nothing.said["make retrain"]
    assert github.things["pulls"] == []

    arrived = clone(**scheduled, **{"github.event.client_payload.parameters": MAY})
    arrived.run("train.yaml", "train")
    [pull] = github.things["pulls"]
    assert pull["title"] == "Retrained: flight-delays version 2 passes the gate and is champion"
    assert (pull["head"], pull["base"]) == ("retrain", "main")
    assert "| `ingest.months` |" in pull["body"]
    parameters = YAML(typ="safe").load(tracked_by_git(origin, "retrain", "params.yaml"))
    assert parameters["ingest"]["months"] == [1, 2, 3, 4, 5]
    newer = tracked_by_git(origin, "retrain", "models/champion.dvc")
    assert newer != champion == tracked_by_git(origin, "main", "models/champion.dvc")
    said = [text for runner in (nothing, arrived) for text in runner.said.values()]
    assert not [text for text in said if TOKEN in text]

    merge = ["git", "--git-dir", str(origin / "o" / "r.git"), "update-ref", "refs/heads/main", "refs/heads/retrain"]
    subprocess.run(merge, check=True)
    pull["state"] = "closed"
    worse = clone(**{"inputs.parameters": "train.model=linear train.linear.C=0.0001"})
    worse.run("train.yaml", "train")
    assert tracked_by_git(origin, "retrain", "models/champion.dvc") == newer
    assert github.things["pulls"][-1]["title"].startswith("Retrained: The gate refuses flight-delays version")
    assert re.search(r"gain over the champion -0\.\d+ is below", worse.said["make retrain"])
    project = Borrower(worse.folder)
    assert json.loads(project.read("reports/registration.json"))["champion"] == 1
    assert (
        contents(project)["models/candidate/model.onnx"]
        != (worse.folder / "models/champion/artifacts/model.onnx").read_bytes()
    )


@pytest.mark.slow
def test_training_says_what_stands_in_its_way_and_proposes_nothing(clone, github, tmp_path):
    touched = tmp_path / "touched"
    unknown = clone(**{"inputs.parameters": f"train.trails=20; touch {touched}"})
    unknown.run("train.yaml", "train", ok=False)
    assert "ERROR: PARAMETERS 'train.trails=20; touch " in unknown.said[unknown.failed]
    hosted = clone(**{"inputs.parameters": "register.promote_to=staging"})
    hosted.environment["RUNNER_ENVIRONMENT"] = "github-hosted"
    hosted.run("train.yaml", "train", ok=False)
    assert hosted.failed == "make push"
    assert "Nobody could pull what this run made" in hosted.said["make push"]
    assert github.calls == []
    assert not touched.exists()


@pytest.mark.slow
def test_release_has_package_site_reports_and_champion(clone):
    runner = clone()
    runner.run("release.yaml", "build")
    artefact = runner.artefacts["release"]
    assert {"build/site/index.html", "reports/card/model_card.html", "models/champion/MLmodel"} <= artefact
    [wheel] = [file for file in artefact if file.endswith(".whl")]
    assert re.fullmatch(r"dist/flight_delays-[\d.]+-py3-none-any.whl", wheel)


@pytest.mark.slow
def test_labels_are_made_once_and_then_changed(clone, github):
    runner = clone()
    for color in ("0366d6", "ffffff"):
        labels = load(runner.folder / "docs" / "labels.yaml")
        (runner.folder / "docs" / "labels.yaml").write_text(json.dumps({n: [color, d] for n, (_, d) in labels.items()}))
        runner._shell("make labels", {"GITHUB_TOKEN": TOKEN})
        assert runner.said["make labels"] == "6 labels are there.\n"
        assert {label["name"]: label["color"] for label in github.things["labels"]} == dict.fromkeys(labels, color)
    assert len(github.things["labels"]) == 6
