"""Data, models and reports of any commit come back: from the cache, and from each kind of remote."""

import getpass
import os
import shutil
import socket
import subprocess
import sys
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import pytest
from baked import NOTHING_TO_DO, Project, bake_into, contents, wait_for
from servers import find_program, free_port

REMOTES = {"local": "", "s3": "s3://", "gcs": "gs://", "azure": "azure://", "ssh": "ssh://"}
DRIVERS = {"local": "dvc", "s3": "dvc_s3", "gcs": "dvc_gs", "azure": "dvc_azure", "ssh": "dvc_ssh"}
AWS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1"}
APRIL = {"months: [1, 2, 3]": "months: [1, 2, 3, 4]", "2013-02-15": "2013-03-15", "2013-03-10": "2013-04-10"}


@pytest.mark.full
def test_last_month_comes_back_to_the_byte_and_this_month_again(own_copy):
    project, before = own_copy, contents(own_copy)
    project.run("dvc", "push")
    project.edit("params.yaml", APRIL)
    project.run("make", "pipeline")
    project.commit("Data of April")
    project.run("dvc", "push")
    after = contents(project)
    for path in (
        "data/raw/flights.parquet",
        "models/candidate/model.onnx",
        "reports/60_evaluate.html",
        "reports/metrics.json",
    ):
        assert before[path] != after[path], path
    project.run("git", "checkout", "--quiet", "HEAD~1")
    project.run("dvc", "checkout")
    assert contents(project) == before
    assert NOTHING_TO_DO in project.run("dvc", "status", "dvc.yaml").stdout
    project.run("git", "switch", "--quiet", "-")
    project.run("dvc", "checkout")
    assert contents(project) == after
    assert NOTHING_TO_DO in project.run("dvc", "status", "dvc.yaml").stdout


@pytest.fixture(scope="module")
def with_s3(tmp_path_factory) -> Project:
    """A project with S3 as its remote, set up as the README says."""
    project = bake_into(tmp_path_factory.mktemp("remote"), remote="s3")
    project.run("make", "setup")
    project.commit("As generated")
    return project


@contextmanager
def serving(*command: str, port: int):
    """Run a server on the loopback address while the block runs."""
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen(command, **quiet)
    try:
        wait_for(lambda: socket.create_connection(("127.0.0.1", port)).close() is None)
        yield
    finally:
        process.terminate()
        process.wait()


def add_version(project: Project, text: str) -> None:
    """Add a version of a small file, as vendor/stagebook/docs/governance.md says, and push it."""
    (project.path / "data" / "raw" / "more.csv").write_text(text)
    project.run("dvc", "add", "data/raw/more.csv")
    project.commit(text)
    assert "1 file pushed" in project.run("dvc", "push", **AWS).stdout


def pull_version(project: Project, commit: str = "HEAD", ok: bool = True) -> str:
    """Bring the small file back with an empty cache; return what is in it, or what was said."""
    shutil.rmtree(project.path / ".dvc" / "cache", ignore_errors=True)
    (project.path / "data" / "raw" / "more.csv").unlink(missing_ok=True)
    project.run("git", "checkout", "--quiet", commit)
    said = project.run("dvc", "pull", "data/raw/more.csv", ok=ok, **AWS)
    project.run("git", "checkout", "--quiet", "main")
    return (project.path / "data" / "raw" / "more.csv").read_text() if ok else said.stderr


def set_locally(project: Project, **settings: str) -> None:
    """Say to this copy alone where the remote is."""
    (project.path / ".dvc" / "config.local").unlink(missing_ok=True)
    for name, value in settings.items():
        project.run("dvc", "remote", "modify", "--local", "storage", name, value)


@pytest.mark.full
def test_s3_keeps_versions_until_they_are_collected(with_s3):
    port = free_port()
    moto = str(Path(sys.executable).with_name("moto_server"))
    set_locally(with_s3, url="s3://flights/dvc", endpointurl=f"http://127.0.0.1:{port}")
    with serving(moto, "-H", "127.0.0.1", "-p", str(port), port=port):
        bucket = urllib.request.Request(f"http://127.0.0.1:{port}/flights", method="PUT")
        urllib.request.urlopen(bucket).close()
        for text in ("one", "two", "three"):
            add_version(with_s3, text)
        with_s3.run("git", "tag", "release", "HEAD~1")
        assert pull_version(with_s3) == "three"
        assert pull_version(with_s3, "HEAD~2") == "one"
        with_s3.run("dvc", "gc", "--workspace", "--all-tags", "--cloud", "--force", **AWS)
        assert "do not exist neither locally nor on remote" in pull_version(with_s3, "HEAD~2", ok=False)
        assert pull_version(with_s3, "release") == "two"
        with_s3.run("dvc", "gc", "--workspace", "--date", "2100-01-01", "--cloud", "--force", **AWS)
        assert "do not exist neither locally nor on remote" in pull_version(with_s3, "release", ok=False)
        assert pull_version(with_s3) == "three"
    assert with_s3.run("git", "status", "--porcelain").stdout == ""


@pytest.mark.full
def test_ssh_keeps_versions(with_s3, tmp_path):
    sshd = find_program("sshd", "openssh-server")
    project = other_remote(with_s3, tmp_path, "ssh")
    for key in ("host", "mine"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / key], check=True)
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)
    port = free_port()
    (tmp_path / "sshd_config").write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {tmp_path}/host\nAuthorizedKeysFile {tmp_path}/mine.pub\n"
        f"PasswordAuthentication no\nUsePAM no\nStrictModes no\nPidFile none\nSubsystem sftp internal-sftp\n"
    )
    url = f"ssh://{getpass.getuser()}@127.0.0.1:{port}{tmp_path}/storage"
    set_locally(project, url=url, keyfile=str(tmp_path / "mine"))
    with serving(str(sshd), "-D", "-e", "-f", str(tmp_path / "sshd_config"), port=port):
        add_version(project, "one")
        add_version(project, "two")
        assert pull_version(project, "HEAD~1") == "one"


def other_remote(with_s3: Project, folder: Path, answer: str) -> Project:
    """A committed project with another remote, in the environment of `with_s3` and with the driver in it."""
    project = bake_into(folder, remote=answer)
    (project.path / ".venv").symlink_to(with_s3.path / ".venv")
    pins = next(project.path.glob(f"environments/constraints-{sys.version_info[0]}.{sys.version_info[1]}.txt"))
    [driver] = [line.strip(' ",') for line in project.read("pyproject.toml").splitlines() if '"dvc' in line]
    python = with_s3.path / ".venv" / "bin" / "python"
    project.run("uv", "pip", "install", "--quiet", "--python", str(python), "--constraint", str(pins), driver)
    project.run("git", "init", "--quiet", "--initial-branch", "main")
    project.commit("As generated")
    return project


@pytest.mark.full
@pytest.mark.parametrize("answer", REMOTES)
def test_dvc_reads_the_remote_of_each_answer_and_has_its_driver(with_s3, tmp_path, answer):
    project = other_remote(with_s3, tmp_path, answer)
    assert project.run("dvc", "config", "core.remote").stdout == "storage\n"
    assert project.run("dvc", "config", "remote.storage.url").stdout.startswith(REMOTES[answer])
    project.run("dvc", "remote", "list")
    project.run("python", "-c", f"import {DRIVERS[answer]}")


@pytest.mark.parametrize("answer", REMOTES)
def test_remote_is_a_placeholder_without_credentials(bake, answer):
    config = bake(remote=answer, project_slug="other-name").read(".dvc/config")
    settings = [line.strip() for line in config.splitlines() if "=" in line and not line.strip().startswith("#")]
    [url] = [line.removeprefix("url = ") for line in settings if line.startswith("url")]
    assert url.startswith(REMOTES[answer])
    assert "other-name" in url
    assert answer == "local" or "edit-me" in url.lower()
    assert {line.split(" = ")[0] for line in settings} <= {"analytics", "remote", "url", "account_name"}
