"""Files for GitHub and GitLab, without running them: schemas, audit, what workflows call, who owns what."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from baked import TEMPLATE
from ruamel.yaml import YAML
from test_options import OWN

sys.path.insert(0, str(TEMPLATE / "library" / "stagebook"))
from stagebook.cli.main import build_parser

WORKFLOWS = ("ci", "pipeline", "train", "monitor", "release")
TO_PATH = (
    'echo "$PWD/.venv/bin" >> "$GITHUB_PATH"'  # the one line of a workflow that is neither make, git nor stagebook
)
OF_GITLAB = ['export PATH="$PWD/.venv/bin:$PATH"', "mv build/site public"]


def load(file: Path) -> dict:
    return YAML(typ="safe").load(file.read_text(encoding="utf-8"))


def tool(name: str, *words: str) -> subprocess.CompletedProcess:
    return subprocess.run([Path(sys.executable).with_name(name), *words], capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    "answers",
    [
        {},
        {"ci": "both", "remote": "azure"},
        {"ci": "both", "governance": "full"},
        {"ci": "both", "tracking": "server"},
        OWN | {"remote": "s3", "ci": "gitlab", "governance": "full"},
    ],
)
def test_files_for_the_host_are_what_their_schemas_say(bake, answers):
    project = bake(**answers)
    github, gitlab = project.path / ".github", project.path / ".gitlab-ci.yml"
    assert github.exists() is (answers.get("ci") != "gitlab")
    assert gitlab.exists() is (answers.get("ci") in ("gitlab", "both"))
    files = {"gitlab-ci": [gitlab]} if gitlab.exists() else {}
    if github.exists():
        files["github-workflows"] = list((github / "workflows").iterdir())
        files["github-actions"] = [github / "actions" / "prepare" / "action.yaml"]
        files["dependabot"] = [github / "dependabot.yml"]
        audit = tool("zizmor", "--offline", "--quiet", "--persona=pedantic", "--min-severity=low", str(github))
        assert audit.returncode == 0, audit.stdout
    if github.exists() and answers.get("governance") == "full":
        files["github-issue-forms"] = list((github / "ISSUE_TEMPLATE").glob("[0-9]*"))
        files["github-issue-config"] = [github / "ISSUE_TEMPLATE" / "config.yml"]
        assert len(files["github-issue-forms"]) == 6
    for schema, of_this in files.items():
        said = tool("check-jsonschema", "--builtin-schema", f"vendor.{schema}", *map(str, of_this))
        assert said.returncode == 0, said.stdout


def check_command(line: str, verbs: list[str]) -> None:
    """Fail unless a line calls a verb of the Makefile, git, or a command of `stagebook` with arguments that it takes."""
    program, *words = shlex.split(line)
    assert program in ("make", "git", "stagebook"), line
    if program == "make":
        assert words[0] in verbs, line
    if program == "stagebook":
        build_parser().parse_args(words)  # exits if it does not know them
        assert "$" not in re.sub(r'"[^"]*"', "", line), "text of others, to be split by a shell"


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
                check_command(line, verbs)
            assert "${{" not in step.get("run", ""), "text of others in a shell"


def test_the_action_prepares_the_project_and_puts_its_tools_on_path(bake):
    action = load(bake().path / ".github" / "actions" / "prepare" / "action.yaml")
    steps = action["runs"]["steps"]
    assert [step["run"] for step in steps if "run" in step] == ["make setup PYTHON=python", TO_PATH]
    used = [step for step in steps if "uses" in step]
    assert all(re.fullmatch(r"actions/[\w-]+@[0-9a-f]{40}", step["uses"]) for step in used)
    [cache] = [step for step in used if "/cache@" in step["uses"]]
    assert cache["if"] == "inputs.cache == 'true'"


def test_a_release_takes_nothing_from_a_cache(bake):
    project = bake(ci="both")
    steps = load(project.path / ".github" / "workflows" / "release.yaml")["jobs"]["build"]["steps"]
    [prepare] = [step for step in steps if step.get("uses") == "./.github/actions/prepare"]
    assert prepare["with"] == {"cache": "false"}
    assert load(project.path / ".gitlab-ci.yml")["release"]["cache"] == []


def test_jobs_of_gitlab_hold_no_logic(bake):
    project = bake(ci="gitlab")
    content = load(project.path / ".gitlab-ci.yml")
    verbs = re.findall(r"^([a-z-]+):", project.read("Makefile"), re.MULTILINE)
    jobs = [content["default"], *(job for job in content.values() if isinstance(job, dict) and "script" in job)]
    lines = [line for job in jobs for part in ("before_script", "script") for line in job.get(part, [])]
    assert len(lines) > 20
    for line in lines:
        guarded = re.fullmatch(r'if test -n "\$GITLAB_TOKEN"[^;]*; then (.*); fi', line)
        if line not in OF_GITLAB:
            check_command(guarded[1] if guarded else line, verbs)


def test_github_and_gitlab_run_the_same_commands(bake):
    project = bake(ci="both")
    gitlab = load(project.path / ".gitlab-ci.yml")
    for name, job in (
        ("ci", "check"),
        ("pipeline", "pipeline"),
        ("train", "train"),
        ("monitor", "monitor"),
        ("release", "release"),
    ):
        jobs = load(project.path / ".github" / "workflows" / f"{name}.yaml")["jobs"]
        steps = next(iter(jobs.values()))["steps"]
        ours = [" ".join(step["run"].split()[:2]) for step in steps if "run" in step]
        theirs = [re.sub(r"^if .*?; then ", "", line) for line in gitlab[job]["script"]]
        assert ours == [" ".join(line.split()[:2]) for line in theirs], name


@pytest.mark.parametrize("tracking", ["embedded", "server"])
def test_main_branch_registers_where_a_server_keeps_models_and_nothing_else_does(bake, tracking):
    project = bake(ci="both", tracking=tracking)
    github = load(project.path / ".github" / "workflows" / "pipeline.yaml")
    gitlab = load(project.path / ".gitlab-ci.yml")
    assert github["on"].get("push") == (None if tracking == "embedded" else {"branches": ["main"]})
    assert github["jobs"]["pipeline"]["env"]["STAGEBOOK_MAIN"] == "${{ github.event.repository.default_branch }}"
    of_main = [{"if": '$CI_PIPELINE_SOURCE == "push" && $CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH'}]
    assert ("register" in gitlab) is (tracking == "server")
    assert gitlab.get("register", {}).get("rules", of_main) == of_main
    assert gitlab["pipeline"]["rules"] == [{"if": '$CI_PIPELINE_SOURCE == "merge_request_event"'}]


@pytest.mark.parametrize(("version", "versions"), [("3.11", ["3.11", "3.12", "3.13"]), ("3.13", ["3.13"])])
def test_workflows_test_the_supported_pythons(bake, version, versions):
    project = bake(python_version=version, ci="both")
    job = load(project.path / ".github" / "workflows" / "ci.yaml")["jobs"]["check"]
    assert job["strategy"]["matrix"]["python"] == versions
    prepare = load(project.path / ".github" / "actions" / "prepare" / "action.yaml")
    assert prepare["inputs"]["python"]["default"] == version
    for file in (project.path / ".github" / "workflows").iterdir():
        assert "setup-python" not in file.read_text(), "only the action knows which Python"
    assert load(project.path / ".gitlab-ci.yml")["check"]["parallel"]["matrix"] == [{"PYTHON": versions}]


@pytest.mark.parametrize(
    ("answers", "secrets"),
    [
        ({}, ["MLFLOW_TRACKING_URI"]),
        ({"remote": "s3"}, ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "MLFLOW_TRACKING_URI"]),
        ({"remote": "azure"}, ["AZURE_STORAGE_CONNECTION_STRING", "MLFLOW_TRACKING_URI"]),
        ({"tracking": "server"}, ["MLFLOW_TRACKING_URI", "MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD"]),
    ],
)
def test_workflows_have_the_secrets_of_the_chosen_stores_and_no_others(bake, answers, secrets):
    project = bake(**answers)
    for name in ("pipeline", "train", "monitor", "release"):
        text = project.read(f".github/workflows/{name}.yaml")
        of_this = {"train": ["NOTIFY_URL"], "monitor": ["PREDICTION_LOG_URL", "NOTIFY_URL"]}.get(name, [])
        expected = [*secrets, *of_this]
        if name == "release":  # the job that builds needs no MLflow server, those that deploy do
            expected = [one for one in secrets if not one.startswith("MLFLOW")] + 2 * [*secrets, "NOTIFY_URL"]
        found = re.findall(r"^ +(\w+): \$\{\{ secrets\.(\w+) \}\}$", text, re.MULTILINE)
        assert found == [(one, one) for one in expected]
        assert text.count("secrets.") == len(found)
        assert not re.search(r"# (remote|tracking):", text)


def test_each_kind_of_issue_leads_to_the_next_and_has_a_label(bake):
    project = bake(ci="both", governance="full")
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
    project = bake(**answers, governance="full")
    lines = project.read(".gitlab/CODEOWNERS" if "ci" in answers else ".github/CODEOWNERS").splitlines()
    owners = {pattern.lstrip("/"): teams for pattern, *teams in (line.split() for line in lines if line[:1] in "*/")}
    assert len({team for teams in owners.values() for team in teams}) == 6
    assert owners["docs/monitoring.yaml"] == ["@EDIT-ME/product-owners", "@EDIT-ME/ml-engineers"]
    for pattern in owners:
        assert pattern == "models/champion.dvc" or list(project.path.glob(pattern)), pattern
    for document in (project.path / "docs").glob("*.md"):
        [role] = re.findall(r"\A#.+\n\nOwner: ([\w ]+)\.", document.read_text(encoding="utf-8"))
        [team] = owners.get(f"docs/{document.name}", owners["*"])
        assert team.lower() == f"@edit-me/{role.lower().replace(' ', '-')}s", document.name
