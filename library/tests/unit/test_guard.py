"""What must not be in git is refused with its name and reason, and nothing else is."""

import json
import os
import pickle
import subprocess

import pytest
from stagebook.project.errors import StepError
from stagebook.scaffold.guard import check_files
from stagebook.scaffold.leaks import find_leaks

SETTINGS = '[tool.stagebook.check_files]\nallow = ["*/.gitkeep", "*.dvc", "data/schema.yaml", "tests/*"]\nmax_kilobytes = 100\n'
# In pieces, so that these lines are no secrets themselves.
AWS_KEY = "AKIA" + "IOSFODNN7ABCDEFG"
PRIVATE_KEY = "-----BEGIN " + "OPENSSH PRIVATE KEY-----\nabc\n"
PASSWORD = "pass" + 'word = "hunter2"'


@pytest.fixture
def repo(tmp_path, monkeypatch):
    """A repository with nothing committed yet."""
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    git(tmp_path, "init", "--quiet")
    add(tmp_path, "pyproject.toml", SETTINGS)
    return tmp_path


def git(repo, *words):
    identity = ["-c", "user.name=tester", "-c", "user.email=tester@example.com"]
    subprocess.run(["git", *identity, *words], cwd=repo, check=True)


def add(repo, name, content):
    file = repo / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    git(repo, "add", "--force", "--", name)


def complaint(repo, staged=True):
    with pytest.raises(StepError) as error:
        check_files(repo, staged)
    return str(error.value)


@pytest.mark.parametrize("staged", [True, False])
@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("data/raw/flights.parquet", "PAR1", "belongs to DVC"),
        ("data/raw/a b ü.csv", "a,b", "data/raw/a b ü.csv: belongs to DVC"),
        ("models/candidate.onnx", "x", "belongs to DVC"),
        ("reports/10_ingest.html", "x", "belongs to DVC"),
        ("customers.CSV", "a,b", "looks like data (.csv)"),
        ("docs/x\ny.xlsx", "x", r"'docs/x\ny.xlsx': looks like data"),
        ("docs/x.csv.gz", "x", "looks like data"),
        ("tests/model.pkl", "x", "is a pickle, and loading one runs"),
        ("tests/model.bin", pickle.dumps([1]), "is a pickle"),
        ("docs/picture.png", b"\x89PNG" + bytes(100_000), "has 100 kB, and the limit is 100"),
        (".env", "A=1", "holds secrets"),
        ("prod.env", "A=1", "holds secrets"),
        ("code/key.p12", "x", "is a store of keys"),
        ("id", PRIVATE_KEY, "line 1 (Private Key) looks like a secret"),
        ("code/a.py", f"import os\n\nkey = '{AWS_KEY}'\n", "line 3 (AWS Access Key) looks like a secret"),
        ("code/a.ps1", f"key = '{AWS_KEY}'\r\n".encode("utf-16"), "line 1 (AWS Access Key)"),
        ("tests/test_cloud.py", f"key = '{AWS_KEY}'", "line 1 (AWS Access Key)"),
        ("code/db.py", "connect('postgresql://me:" + "tiger7@host/db')", "line 1 (Basic Auth Credentials)"),
        (".dvc/config", "[a]\nx = y\nsecret_access_" + "key = wJalrXUtnFEMIabcdefghbPx\n", "line 3 (Secret Keyword)"),
        ("ci.yaml", "env:\n  PII_" + "KEY: 0123456789abcdef0123456789abcdef", "line 2 (PII_KEY)"),
    ],
)
def test_what_must_not_be_in_git_is_refused_with_the_reason(repo, name, content, words, staged):
    add(repo, name, content)
    assert words in complaint(repo, staged)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("data/schema.yaml", "tables: {}"),
        ("data/raw/.gitkeep", ""),
        ("data/raw/flights.csv.dvc", "outs:\n- md5: 0123456789abcdef0123456789abcdef\n"),
        ("tests/fixtures/small.csv", "a,b"),
        ("dvc.lock", "md5: 0123456789abcdef0123456789abcdef"),
        (".env.example", "PII_KEY="),
        ("docs/sql.md", "postgresql://user:password@host/db, password = os.environ['X'], PII_KEY=$(make-one-now)"),
        ("tests/test_login.py", PASSWORD),
        ("code/names.py", "PASS" + 'WORD = "DATABASE_PASSWORD"\nclient_' + 'secret: "what your provider gave you"'),
        ("code/data.py", "password = 'hunter2'  # pragma: allowlist secret\n"),
        ("docs/picture.png", b"\x89PNG" + bytes(5_000)),
        ("empty", ""),
    ],
)
def test_what_may_be_in_git_passes(repo, name, content):
    add(repo, name, content)
    check_files(repo, staged=True)
    check_files(repo)


def test_secret_in_a_notebook_is_named_by_its_cell_and_not_shown(repo):
    cells = [
        {"id": "title", "cell_type": "markdown", "source": ["# Title"]},
        {"id": "connect", "cell_type": "code", "source": ["import os\n", PASSWORD], "outputs": []},
        {"cell_type": "code", "source": "x", "outputs": [{"text": ["y\n", AWS_KEY]}]},
    ]
    add(repo, "notebooks/10.ipynb", json.dumps({"cells": cells}))
    said = complaint(repo)
    assert "notebooks/10.ipynb: cell 2 (connect) (Secret Keyword), cell 3 (AWS Access Key) looks like a secret" in said
    assert "hunter2" not in said and AWS_KEY not in said


def test_broken_notebook_is_read_as_text():
    assert find_leaks("a.ipynb", b'{"cells": [\n' + AWS_KEY.encode()) == ["line 2 (AWS Access Key)"]


def test_only_the_next_commit_is_looked_at_when_asked(repo):
    add(repo, "data/raw/a.csv", "a")
    git(repo, "commit", "--quiet", "--message", "past the hook")
    check_files(repo, staged=True)
    assert "data/raw/a.csv" in complaint(repo, staged=False)
    git(repo, "rm", "--quiet", "--cached", "data/raw/a.csv")
    check_files(repo, staged=True)
    check_files(repo)


def test_the_index_counts_and_not_the_working_copy(repo):
    add(repo, "a.py", PASSWORD)
    (repo / "a.py").write_text("")
    assert "a.py: line 1" in complaint(repo)


def test_renamed_link_and_deleted_files_do_no_harm(repo):
    add(repo, "a.py", "x = 1\n" * 50)
    git(repo, "commit", "--quiet", "--message", "a")
    (repo / "link").symlink_to("/nowhere")
    git(repo, "mv", "a.py", "b.py")
    git(repo, "add", "link")
    check_files(repo, staged=True)
    git(repo, "rm", "--quiet", "--force", "b.py")
    check_files(repo, staged=True)
    check_files(repo)


def test_project_in_a_folder_of_a_repository_looks_at_itself(repo):
    add(repo, "other/data.csv", "a")
    add(repo, "mine/pyproject.toml", SETTINGS)
    add(repo, "mine/data/raw/x.txt", "a")
    said = complaint(repo / "mine")
    assert "  data/raw/x.txt: belongs" in said
    assert "data.csv" not in said


def test_missing_settings_and_missing_repository_are_said(repo, tmp_path_factory):
    (repo / "pyproject.toml").write_text("[tool.ruff]\n")
    add(repo, "data/schema.yaml", "tables: {}")
    assert "data/schema.yaml: belongs to DVC" in complaint(repo), "nothing is allowed without settings"
    (repo / "pyproject.toml").write_text("[tool.stagebook.check_files]\nmax_kilobyte = 1\n")
    assert "[tool.stagebook].check_files: 'max_kilobyte' is not known" in complaint(repo)
    folder = tmp_path_factory.mktemp("none")
    (folder / "pyproject.toml").write_text(SETTINGS)
    assert "git cannot say what is in" in complaint(folder)
