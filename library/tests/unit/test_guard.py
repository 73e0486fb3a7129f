"""What must not be in git is refused with its name and reason, and nothing else is."""

import base64
import json
import os
import pickle
import random
import subprocess
import time
from pathlib import PurePosixPath

import pytest
from stagebook.project.errors import StepError
from stagebook.scaffold.guard import check_files
from stagebook.scaffold.leaks import detectors, find_leaks

SETTINGS = '[tool.stagebook.check_files]\nallow = ["*/.gitkeep", "*.dvc", "data/schema.yaml", "tests/*"]\nmax_kilobytes = 100\n'
# In pieces, so that these lines are no secrets themselves.
AWS_KEY = "AKIA" + "IOSFODNN7ABCDEFG"
PRIVATE_KEY = "-----BEGIN " + "OPENSSH PRIVATE KEY-----\nabc\n"
PASSWORD = "pass" + 'word = "hunter2"'


@pytest.fixture
def repo(tmp_path, monkeypatch):
    """A repository with nothing committed yet."""
    for name in [name for name in os.environ if name.startswith(("GIT_", "GITHUB_", "CI_"))]:
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
        ("tests/old.bin", pickle.dumps({"a": [1]}, protocol=0), "is a pickle"),
        ("notes.txt", pickle.dumps(PurePosixPath("a"), protocol=1), "is a pickle"),
        ("docs/lib-1.0-py3-none-any.whl", "x", "looks like data (.whl)"),
        ("docs/lib.bin", b"PK\x03\x04" + bytes(90), "looks like data (a zip archive)"),
        ("docs/table", b"PAR1" + bytes(90), "looks like data (Parquet)"),
        ("notes", b"SQLite format 3\0" + bytes(90), "looks like data (an SQLite database)"),
        ("customers.txt", "name,city,age\n" + "Ada,Paris,3\n" * 9, "looks like data (a table of text)"),
        ("customers.dat", "day;sales\n" + "2024-01-01;7\n" * 9, "looks like data (a table of text)"),
        ("customers", "a\tb\n" + "x\t1.5\n" * 9, "looks like data (a table of text)"),
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
        ("docs/picture.png", b"\x89PNG" + bytes(range(256)) * 20),
        ("docs/letter.docx", b"PK\x03\x04" + bytes(90)),
        ("constraints.txt", "aiohttp==3.13\naiosignal==1.4\nalembic==1.17\n"),
        ("requirements.txt", 'a==1 ; python_version < "3.12"\n' * 9),
        ("notes.txt", "Dear team,\nwe, you and I, met.\n" * 9),
        ("tests/fixtures/table.txt", "name,city,age\n" + "Ada,Paris,3\n" * 9),
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


OUTPUTS = {
    "traceback": {
        "output_type": "error",
        "ename": "E",
        "evalue": "x",
        "traceback": ["\x1b[0;31mE\x1b[0m", f"at {AWS_KEY}"],
    },
    "coloured word": {"output_type": "error", "traceback": [PASSWORD.replace('"hun', '\x1b[33m"hun')]},
    "page": {"output_type": "display_data", "data": {"text/html": ["<b>pass", "word</b> = &quot;hunter2&quot;"]}},
    "data of a widget": {
        "output_type": "display_data",
        "data": {"application/json": {"a": [{"api_" + "key": "hunter2zz"}]}},
    },
    "metadata of an output": {"output_type": "display_data", "data": {}, "metadata": {"x": {"y": AWS_KEY}}},
    "picture as text": {"output_type": "display_data", "data": {"image/svg+xml": [f"<text>{AWS_KEY}</text>"]}},
}


@pytest.mark.parametrize("output", OUTPUTS.values(), ids=OUTPUTS)
def test_secret_in_any_output_of_a_notebook_is_found(output):
    cells = [{"id": "a", "cell_type": "code", "source": "x", "outputs": [output]}]
    [leak] = find("notebooks/10.ipynb", json.dumps({"cells": cells, "metadata": {}}))
    assert leak.startswith("cell 1 (a)")


def test_secret_in_the_metadata_of_a_notebook_is_found_and_pictures_are_not_read():
    cell = {
        "id": "a",
        "cell_type": "code",
        "source": "x",
        "metadata": {"papermill": {"parameters": {"db_pass" + "word": "hunter2"}}},
    }
    [leak] = find("a.ipynb", json.dumps({"cells": [cell], "metadata": {}}))
    assert leak == "cell 1 (a) (Secret Keyword)"
    [leak] = find("a.ipynb", json.dumps({"cells": [], "metadata": {"x": AWS_KEY}}))
    assert leak == "notebook metadata (AWS Access Key)"
    cell = {
        "id": "a",
        "source": "x",
        "outputs": [{"data": {"image/png": AWS_KEY}, "metadata": {"image/png": {"width": 3}}}],
    }
    assert find("a.ipynb", json.dumps({"cells": [cell]})) == []


def find(name, content):
    with detectors():
        return find_leaks(name, content.encode() if isinstance(content, str) else content)


# Each in two pieces, so that these lines are no secrets themselves.
TOKENS = {
    "GitHub, fine-grained": "github_"
    + "pat_11ABCDEFG0aBcDeFgHiJkL_mNoPqRsTuVwXyZ0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHI",
    "GitHub, classic": "gh" + "p_" + "a1B2" * 9,
    "GitLab": "glp" + "at-abcdefghij0123456789",
    "Hugging Face": "hf" + "_aBcDeFgHiJkLmNoPqRsTuVwXyZaBcDeFgH",
    "Anthropic": "sk-" + "ant-api03-" + "aB3-" * 20,
    "OpenAI, of a project": "sk-" + "proj-" + "aB3_" * 20,
    "Google": "AI" + "zaSyA1234567890abcdefghijklmnopqrstuv",
    "Slack": "xo" + "xb-123456789012-123456789012-abcdefghijklmnopqrstuvwx",
    "Databricks": "da" + "pi" + "0123456789abcdef" * 2,
    "npm": "np" + "m_" + "a1B2" * 9,
    "shared access signature of Azure": "https://a.blob.core.windows.net/c/t.csv?sv=2024-08-04&s"
    + "ig=aB3%2FdE5fG7hI9jK1lM3nO5pQ7rS9tU1vW3xY5zA7%3D",
    "signed address of S3": "https://b.s3.amazonaws.com/t?X-Amz-Algorithm=A&X-Amz-Sig"
    + "nature="
    + "0123456789abcdef" * 4,
    "account key of Azure": "DefaultEndpointsProtocol=https;Account" + "Key=" + "aB3+" * 21 + "aB==",
}


@pytest.mark.parametrize(
    "name", ["code/a.py", "docs/a.md", "docs/a.svg", "tests/test_a.py", "config", "a.yaml", "a.html", "a.ipynb"]
)
@pytest.mark.parametrize("token", TOKENS.values(), ids=TOKENS)
def test_token_of_this_form_is_found_in_each_kind_of_file(token, name):
    line = f"x: '{token}'"
    content = json.dumps({"cells": [{"source": [line], "outputs": []}]}) if name == "a.ipynb" else f"a\n{line}\n"
    [leak] = find(name, content)
    assert leak.startswith(("line 2 (", "cell 1 ("))


HARMLESS_LINES = """
PASSWORD_COLUMN = "user_password"
password = getpass.getpass("Password: ")
def login(user: str, password: str) -> None:
password = os.environ["DB_PASSWORD"]
SECRET_NAME = "projects/x/secrets/db"
secret: ${{ secrets.GITHUB_TOKEN }}
password = config["db"]["password"]
api_key = st.secrets["openai"]
PASSWORD_FIELD = "#password"
password_file = "/run/secrets/db_password"
token_url = "https://host/oauth/token"
SECRET_KEY = "changeme"
password: "{{ vault_password }}"
"password": "Passwort"
postgresql://user:$PASSWORD@host/db
redis://user:<password>@host
https://host/t.csv?sig=<signature>&page=2
api_key_header = "X-API-Key"
token = tokenizer("text")
"password": "string"
password = "********"
pwd = Path.cwd()
secret_name: flight-delays-db
client_secret = None
private_key = key.private_bytes(encoding)
features = ["password_age", "password_length"]
df["password"] = "hidden"
password = "not-a-real-password"
secret = "your-secret-here"
PASSWORD_MIN_LENGTH = "twelve"
hash = "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
"integrity": "sha512-9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08=="
redis_password_secret_ref = "redis-password"
numpy==2.4.0 --hash=sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
""".strip().split("\n")


@pytest.mark.parametrize("line", HARMLESS_LINES)
def test_harmless_line_is_no_secret_in_any_kind_of_file(line):
    assert [
        leak for name in ("a.py", "a.yaml", "a.md", "a.json", "a.toml", "a.lock") for leak in find(name, line)
    ] == []


@pytest.mark.parametrize("before", [9_990, 10_001, 50_000, 900_000])
def test_secret_far_behind_in_a_line_is_found_once(before):
    assert find("a.js", "x=1;" * (before // 4) + f"'{AWS_KEY}'" + "y=2;" * 200) == ["line 1 (AWS Access Key)"]


def test_secret_in_a_file_with_nul_bytes_is_found():
    assert find("a.py", f"x = 1\n\0{PASSWORD}\n") == ["line 2 (Secret Keyword)"]
    assert find("a.txt", f"key '{AWS_KEY}'".encode("utf-16-le")) == ["line 1 (AWS Access Key)"]
    assert [leak[-16:] for leak in find("a.png", b"\x89PNG\0\xff\xfe\0\x80" + AWS_KEY.encode() + bytes(9))] == [
        "(AWS Access Key)"
    ]
    assert find("a.png", random.Random(0).randbytes(200_000)) == []


@pytest.mark.parametrize("name", ["params.yaml", ".cruft.json", "environments/tracking.toml"])
@pytest.mark.parametrize(
    "address", ["https://h/t.csv?si" + "g=abc", "https://me:" + "tiger7@h/t.csv", "https://h/?to" + "ken=x1"]
)
def test_address_of_the_data_with_a_short_secret_is_found(name, address):
    assert len(find(name, f'path: "{address}"')) == 1
    assert find(name, 'path: "https://me@h/t.csv?page=2"') == []


def test_guard_is_quick_on_large_files():
    noise = base64.b64encode(random.Random(0).randbytes(600_000)).decode()
    began = time.process_time()
    found = (
        find("a.txt", noise),
        find("a.py", "x = 1\n" * 150_000),
        find("a.html", "<" * 800_000),
        find("a.js", "?a=b&" * 150_000),
    )
    assert found == ([], [], [], [])
    assert time.process_time() - began < 30


def test_broken_notebook_is_read_as_text():
    assert find("a.ipynb", b'{"cells": [\n' + AWS_KEY.encode()) == ["line 2 (AWS Access Key)"]


def test_secret_that_a_later_commit_removed_is_found_on_the_branch(repo, monkeypatch):
    add(repo, "a.py", "x = 1\n")
    git(repo, "commit", "--quiet", "--message", "base")
    git(repo, "update-ref", "refs/remotes/origin/main", "HEAD")
    add(repo, "b ü.py", f"{PASSWORD}\n")
    git(repo, "commit", "--quiet", "--message", "past the hook")
    add(repo, "b ü.py", "x = 2\n")
    git(repo, "commit", "--quiet", "--message", "removed")
    check_files(repo, staged=True)
    said = complaint(repo, staged=False)
    assert "b ü.py, in a commit since " in said and "(Secret Keyword) looks like a secret" in said
    assert "the history keeps it: revoke the secret" in said and "hunter2" not in said
    monkeypatch.setenv("GITHUB_BASE_REF", "release")
    assert "since origin/release cannot be checked for secrets" in complaint(repo, staged=False)
    git(repo, "update-ref", "refs/remotes/origin/release", "HEAD~2")
    assert "b ü.py, in a commit since " in complaint(repo, staged=False)
    git(repo, "update-ref", "refs/remotes/origin/release", "HEAD")
    check_files(repo)


def test_secret_that_only_a_merge_held_is_found(repo):
    git(repo, "commit", "--quiet", "--message", "base")
    git(repo, "update-ref", "refs/remotes/origin/main", "HEAD")
    git(repo, "checkout", "--quiet", "-b", "side")
    add(repo, "s.py", f"key = '{AWS_KEY}'\n")
    git(repo, "commit", "--quiet", "--message", "side")
    git(repo, "rm", "--quiet", "s.py")
    git(repo, "commit", "--quiet", "--message", "gone")
    git(repo, "checkout", "--quiet", "-b", "main2", "HEAD~2")
    add(repo, "m.py", "x = 1\n")
    git(repo, "commit", "--quiet", "--message", "main")
    git(repo, "merge", "--quiet", "--no-ff", "--message", "merge", "side")
    assert "s.py, in a commit since " in complaint(repo, staged=False)


def test_submodule_is_refused_unless_the_settings_allow_it(repo):
    git(repo, "commit", "--quiet", "--message", "base")
    commit = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=repo, capture_output=True, text=True, check=True
    ).stdout.strip()
    git(repo, "update-index", "--add", "--cacheinfo", f"160000,{commit},libs/other")
    assert "libs/other: is a submodule, and what is in it is not checked" in complaint(repo)
    (repo / "pyproject.toml").write_text(SETTINGS.replace('"tests/*"', '"tests/*", "libs/other"'))
    check_files(repo)


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
