"""Data, secrets, pickles and large files do not get into git: not past the hook, and not past `make check`."""

import pickle

import pytest
from baked import put_back

pytestmark = pytest.mark.slow

KEY = "-----BEGIN RSA " + "PRIVATE KEY-----\nMIIEow\n"
FORBIDDEN = {
    "data/raw/customers of März.csv": (b"name,mail\n", "belongs to DVC"),
    "deploy.key": (KEY.encode(), "line 1 (Private Key) looks like a secret"),
    "docs/picture.png": (bytes(2_000_000), "has 2,000 kB"),
    "tests/model.pkl": (pickle.dumps([1]), "is a pickle"),
}


@pytest.fixture
def clean(generated):
    """The generated project, put back to its commit when the test is over."""
    before, data = generated.run("git", "rev-parse", "HEAD").stdout.strip(), generated.path / "data"
    files = set(data.rglob("*"))
    yield generated
    put_back(generated, before)
    for ignored in set(data.rglob("*")) - files:
        ignored.unlink()


def test_forbidden_files_are_refused_at_commit_and_found_when_the_hook_was_passed_by(clean):
    for name, (content, _) in FORBIDDEN.items():
        (clean.path / name).write_bytes(content)
        clean.run("git", "add", "--force", name)
    said = clean.run("git", "commit", "--message", "Oops", ok=False)
    clean.run("git", "commit", "--quiet", "--no-verify", "--message", "Past the hook")
    checked = clean.run("make", "check", ok=False)
    for name, (_, words) in FORBIDDEN.items():
        assert f"{name}: {words}" in said.stdout + said.stderr
        assert f"{name}: {words}" in checked.stderr
    assert "git rm --cached" in said.stdout + said.stderr
    clean.run("git", "rm", "--quiet", "--cached", *FORBIDDEN)
    clean.run("git", "commit", "--message", "Out again")
    assert all((clean.path / name).is_file() for name in FORBIDDEN)
    clean.run("make", "check")


@pytest.mark.parametrize("name", FORBIDDEN)
def test_each_forbidden_file_alone_is_refused(clean, name):
    content, words = FORBIDDEN[name]
    (clean.path / name).write_bytes(content)
    clean.run("git", "add", "--force", name)
    assert f"{name}: {words}" in clean.run("stagebook", "check", "files", "--staged", ok=False).stderr


def test_harmless_commit_passes_and_so_does_what_dvc_writes(clean):
    (clean.path / "data" / "raw" / "more.csv").write_text("a,b\n")
    clean.run("dvc", "add", "data/raw/more.csv")
    clean.run("git", "add", "--all")
    clean.run("git", "commit", "--message", "More data")
    assert "data/raw/more.csv.dvc" in clean.run("git", "ls-files").stdout
    clean.edit("README.md", {"make lab": "make lab "})
    clean.run("git", "commit", "--all", "--message", "A word")
