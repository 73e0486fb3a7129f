"""Every clone has the same bytes, also with core.autocrlf=true: modules and dvc.lock are compared by hash."""

import subprocess

from baked import TEMPLATE


def clone(folder, where):
    words = ["git", "clone", "--quiet", "--config", "core.autocrlf=true", str(folder), str(where)]
    subprocess.run(words, check=True, capture_output=True)


def test_a_clone_on_windows_has_the_same_bytes(bake, tmp_path):
    project = bake(governance="full", ci="both")
    data = {
        "data/raw/own.csv": b"a,b\r\n1,2\r\n",
        "tests/own.csv": b"a\r\n1\n",
        "docs/media/plot.png": b"\x89PNG\r\n\x1a\n",
    }
    for file, content in data.items():
        (project.path / file).parent.mkdir(parents=True, exist_ok=True)
        (project.path / file).write_bytes(content)
    project.run("git", "init", "--quiet")
    project.run("git", "add", "--force", *data)
    project.commit("As generated, and files of ours")
    clone(project.path, tmp_path / "clone")
    files = project.run("git", "ls-files", "-z").stdout.strip("\0").split("\0")
    assert {"Makefile", "dvc.yaml", "vendor/stagebook.sha256", *data} <= set(files)
    changed = [file for file in files if (tmp_path / "clone" / file).read_bytes() != (project.path / file).read_bytes()]
    assert changed == []


def test_so_has_a_clone_of_the_template():
    command = ["git", "ls-files", "--eol"]
    lines = subprocess.run(command, cwd=TEMPLATE, capture_output=True, text=True, check=True).stdout.splitlines()
    texts = [line for line in lines if line.startswith("i/lf")]
    assert len(texts) > 400
    assert [line for line in texts if "eol=lf" not in line and "attr/-text" not in line] == []
    assert not any("w/crlf" in line or "w/mixed" in line for line in lines)
