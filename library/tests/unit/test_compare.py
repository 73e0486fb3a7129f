"""The page of `make compare`: what differs is on it, all of it is text or a plot, and comparing changes nothing."""

import base64
import shutil
import subprocess
import sys
from contextlib import chdir

import nbformat
import pytest
from dvc.repo import Repo
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from stagebook.pages.compare.notebooks import diff_notebooks
from stagebook.pages.compare.page import show_value
from stagebook.pages.compare.write import compare
from stagebook.project.errors import StepError

STEP = """
import json, pathlib
rate = float(pathlib.Path("params.yaml").read_text().split("rate:")[1])
folder = pathlib.Path("reports"); folder.mkdir(exist_ok=True)
(folder / "metrics.json").write_text(json.dumps({"loss": 2 * rate, "rows": 1000, "kind": "<i>"}))
(folder / "a.png").write_bytes(b"picture %f" % rate)
(folder / "same.png").write_bytes(b"the same")
(folder / "50_train.ipynb").write_text(str(rate))
"""
DVC = f"""
stages:
  train:
    cmd: '"{sys.executable}" step.py'
    deps: [step.py]
    params: [train]
    outs: [reports/a.png, reports/same.png, reports/50_train.ipynb]
    metrics: [reports/metrics.json]
"""


def notebook(*sources: str) -> bytes:
    cells = [new_code_cell(source, id=f"cell-{number}") for number, source in enumerate(sources)]
    return nbformat.writes(new_notebook(cells=cells)).encode()


def git(root, *words):
    who = ["-c", "user.name=t", "-c", "user.email=t@example.com"]
    return subprocess.run(["git", *who, *words], cwd=root, check=True, capture_output=True, text=True).stdout


def set_rate(root, rate, source):
    (root / "params.yaml").write_text(f"train:\n  rate: {rate}\n")
    (root / "notebooks" / "50_train.ipynb").write_bytes(notebook("x = 1", source))
    with chdir(root), Repo(str(root)) as repo:
        repo.reproduce()


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A project of one step: a commit before it ran, two with results (the second tagged), and nothing else changed."""
    root = tmp_path_factory.mktemp("two versions") / "project"
    (root / "notebooks").mkdir(parents=True)
    git(root, "init", "--quiet")
    Repo.init(str(root)).close()
    (root / ".gitignore").write_text("/reports/?*\n")
    (root / "step.py").write_text(STEP)
    (root / "dvc.yaml").write_text(DVC)
    (root / "params.yaml").write_text("train:\n  rate: 0\n")
    git(root, "add", ".")
    git(root, "commit", "--quiet", "--message", "Never run")
    for rate, source in ((0.5, "y = '<b>old</b>'"), (0.25, "y = '<b>new</b>'")):
        set_rate(root, rate, source)
        git(root, "add", ".")
        git(root, "commit", "--quiet", "--message", f"Rate {rate}")
    git(root, "tag", "newest")
    return root


@pytest.fixture
def root(built, tmp_path, monkeypatch):
    """A copy of it for one test; MLflow knows nothing of it."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return shutil.copytree(built, tmp_path / "project", symlinks=True)


def embedded(text: bytes) -> str:
    return base64.b64encode(text).decode()


def test_page_has_what_differs_between_two_commits_and_nothing_else_is_touched(root):
    def state():
        return {
            path: path.read_bytes()
            for path in root.rglob("*")
            if path.is_file() and not {".git", "tmp", "compare.html"} & set(path.relative_to(root).parts)
        }

    before = state()
    said = compare(root, "HEAD~1", "newest")
    assert (
        said
        == "reports/compare.html: HEAD~1 against newest; 1 parameter, 1 metric, 1 plot, 1 notebook, 1 report differ"
    )
    assert state() == before
    assert git(root, "status", "--porcelain") == ""
    page = (root / "reports" / "compare.html").read_text(encoding="utf-8")
    assert '<td><code>train.rate</code></td><td class="value">0.5</td><td class="value">0.25</td>' in page
    assert '<td><code>loss</code></td><td class="n">1</td><td class="n">0.5</td>\n<td class="n">-0.5</td>' in page
    assert embedded(b"picture %f" % 0.5) in page and embedded(b"picture %f" % 0.25) in page
    assert embedded(b"the same") not in page
    assert '<span class="removed">-  y = &#39;&lt;b&gt;old&lt;/b&gt;&#39;</span>' in page
    assert '<span class="added">+  y = &#39;&lt;b&gt;new&lt;/b&gt;&#39;</span>' in page
    assert "<code>reports/50_train.ipynb</code></td><td>differs</td>" in page
    assert "Rate 0.5" in page and "Rate 0.25" in page
    assert "MLflow cannot be asked: there is no mlflow.db here" in page
    assert "://" not in page and "<script" not in page and "<i>" not in page
    assert not (root / "mlflow.db").exists()


def test_workspace_counts_as_it_is_and_is_said_to_wait_for_a_run(root):
    (root / "params.yaml").write_text("train:\n  rate: 0.125\n")
    (root / "new.py").write_text("")
    assert compare(root, "HEAD", "workspace").endswith("1 parameter, 1 other file differ")
    page = (root / "reports" / "compare.html").read_text(encoding="utf-8")
    assert "train would run again" in page
    assert "<code>new.py</code>" in page
    assert "and 2 changed files" in page


def test_the_workspace_may_come_first(root):
    assert "workspace against HEAD~1" in compare(root, "workspace", "HEAD~1")
    page = (root / "reports" / "compare.html").read_text(encoding="utf-8")
    assert '<td class="value">0.25</td><td class="value">0.5</td>' in page


@pytest.mark.parametrize(
    ("a", "b", "said"),
    [
        ("HEAD", "newest", "HEAD and newest are the same commit"),
        ("HEAD", "workspace", "Nothing differs between HEAD and workspace"),
        ("HEAD", "no-such", "no-such: unknown Git revision"),
        ("HEAD~2", "HEAD", "The pipeline has not run on HEAD~2"),
    ],
)
def test_nothing_to_compare_is_said_and_leaves_no_page(root, a, b, said):
    with pytest.raises(StepError, match=said):
        compare(root, a, b)
    assert not (root / "reports" / "compare.html").exists()


def test_what_is_in_no_cache_is_named_with_the_way_to_get_it(root):
    shutil.rmtree(root / ".dvc" / "cache")
    with pytest.raises(StepError, match=r"reports/a.png of HEAD~1 cannot be read .* `dvc push`"):
        compare(root, "HEAD~1", "workspace")


def test_what_the_workspace_lacks_comes_from_the_cache_or_is_named(root):
    for path in ("metrics.json", "a.png"):
        (root / "reports" / path).unlink()
    compare(root, "workspace", "HEAD~1")
    page = (root / "reports" / "compare.html").read_text(encoding="utf-8")
    assert "train would run again" in page and embedded(b"picture %f" % 0.25) in page
    shutil.rmtree(root / ".dvc" / "cache")
    with pytest.raises(StepError, match=r"reports/a.png of workspace cannot be read .* `dvc checkout`"):
        compare(root, "workspace", "HEAD~1")


def test_cells_of_a_notebook_are_named_and_outputs_do_not_count():
    before = new_notebook(cells=[new_code_cell("x = 1", id="first"), new_markdown_cell("why", id="why")])
    after = new_notebook(cells=[new_code_cell("x = 2", id="first", execution_count=3)])
    lines = diff_notebooks("n.ipynb", nbformat.writes(before).encode(), nbformat.writes(after).encode())
    assert ("cell", "## modified cell 1 (first):") in lines
    assert ("removed", "-  x = 1") in lines and ("added", "+  x = 2") in lines
    assert ("cell", "## deleted cell 2 (why):") in lines
    run = nbformat.from_dict(before)
    run.cells[0].update(execution_count=1, outputs=[nbformat.v4.new_output("stream", text="printed")])
    assert diff_notebooks("n.ipynb", nbformat.writes(before).encode(), nbformat.writes(run).encode()) == []


def test_notebook_on_one_side_or_broken_is_said():
    assert diff_notebooks("n.ipynb", None, notebook("x")) == [("cell", "## the notebook is only in B")]
    assert diff_notebooks("n.ipynb", notebook("x"), None) == [("cell", "## the notebook is only in A")]
    with pytest.raises(StepError, match=r"^n.ipynb is not a notebook"):
        diff_notebooks("n.ipynb", notebook("x"), b"<<<<<<< HEAD")


@pytest.mark.parametrize(
    ("value", "sign", "shown"),
    [
        (0.123456789, "", "0.123457"),
        (1234567, "", "1,234,567"),
        (-0.5, "+", "-0.5"),
        (3, "+", "+3"),
        (["a", 1], "", '["a", 1]'),
        (True, "", "true"),
        ("text", "", "text"),
        (None, "", ""),
    ],
)
def test_values_are_short_and_plain(value, sign, shown):
    assert show_value(value, sign) == shown
