"""The site of `make docs`: links lead somewhere, diagrams are drawn, metrics stand beside the commit they belong to."""

import re
import subprocess
from itertools import combinations
from xml.etree import ElementTree

import pytest
from stagebook.pages.site import history
from stagebook.pages.site.flowchart import Flowchart, Node, draw_flowchart, parse_flowchart
from stagebook.pages.site.history import Commit, describe_change, draw_history, read_history, tabulate_history
from stagebook.pages.site.links import Site, adapt_markdown
from stagebook.pages.site.notebooks import describe_function

CHART = """
flowchart TB
  a["one #60;b#62; #38; two"]:::data
  b(["step"]):::step
  c[["end<br>champion"]]
  a --> b
  b --> c
  a --> c
  b --> d["late"]:::data
  classDef data fill:#ddf4ff,stroke:#0969da,color:#24292f
"""
SVG = "{http://www.w3.org/2000/svg}"


def point(commit, figures, **words):
    about = {"date": "2026-01-02", "subject": "Try"} | words
    return Commit(commit, metrics={"candidate": figures, "baseline": {"roc_auc": 0.5}}, **about)


@pytest.fixture
def site(tmp_path):
    """A project with documents, a report and a file of git, and the folder that Sphinx reads."""
    source = tmp_path / "source"
    for file in ("docs/a.md", "docs/data/README.md", "notebooks/10_x.ipynb"):
        (source / file).parent.mkdir(parents=True, exist_ok=True)
        (source / file).write_text("# A\n")
    (tmp_path / "params.yaml").write_text("a: 1\n")
    (tmp_path / "secret.yaml").write_text("a: 1\n")
    (tmp_path / "code").mkdir()
    return Site(tmp_path, source, frozenset({"params.yaml"}), frozenset({"reports/10_x.html", "reports/a/b.html"}))


# Diagrams


def test_flowchart_is_drawn_with_all_boxes_and_arrows_none_over_another():
    drawing = ElementTree.fromstring(draw_flowchart(parse_flowchart(CHART), "a < b"))
    texts = [element.text for element in drawing.iter(f"{SVG}text")]
    assert texts == ["one <b> & two", "step", "end", "champion", "late"]
    assert len([path for path in drawing.iter(f"{SVG}path") if path.get("fill") == "none"]) == 4
    boxes = [box for box in drawing.iter(f"{SVG}rect") if box.get("x")]
    corners = [tuple(float(box.get(name)) for name in ("x", "y", "width", "height")) for box in boxes]
    for (x, y, width, height), (other_x, other_y, other_width, other_height) in combinations(corners, 2):
        apart = (
            x + width <= other_x or other_x + other_width <= x or y + height <= other_y or other_y + other_height <= y
        )
        assert apart


def test_same_flowchart_is_the_same_drawing():
    assert draw_flowchart(parse_flowchart(CHART), "t") == draw_flowchart(parse_flowchart(CHART), "t")


@pytest.mark.parametrize(
    "other", ["sequenceDiagram\n  a->>b: hi", "", "flowchart LR\n  a --> b", "flowchart TB\n  a --> b"]
)
def test_what_cannot_be_drawn_is_left_to_the_reader(site, other):
    assert parse_flowchart(other) is None
    shown = adapt_markdown(site, "docs/a.md", f"```mermaid\n{other}\n```\n")
    assert shown.startswith("<details>") and other in shown


def test_circle_of_arrows_is_left_to_the_reader(site):
    circle = 'flowchart TB\n  a["a"]\n  b["b"]\n  a --> b\n  b --> a'
    assert adapt_markdown(site, "docs/a.md", f"```mermaid\n{circle}\n```\n").startswith("<details>")


def test_diagram_is_put_in_as_a_picture(site):
    shown = adapt_markdown(site, "docs/a.md", f"before\n\n```mermaid{CHART}```\n\nafter\n")
    picture = re.fullmatch(r"before\n\n!\[Diagram\]\(<(.+)>\)\n\nafter\n", shown)[1]
    assert "<svg" in (site.source / "docs" / picture).read_text()


# Links


@pytest.mark.parametrize(
    ("page", "link", "expected"),
    [
        ("docs/a.md", "[x](data/)", "[x](<data/README.md>)"),
        ("docs/data/README.md", "[x](<../../notebooks/10_x.ipynb#run>)", "[x](<../../notebooks/10_x.ipynb#run>)"),
        ("docs/a.md", "[x](../reports/10_x.html)", '<a href="../reports/10_x.html">x</a>'),
        ("notebooks/10_x.ipynb", "[x](a/b.html)", '<a href="../reports/a/b.html">x</a>'),
        ("notebooks/10_x.ipynb", "[x](profiles/not_yet.html)", "x"),
        ("docs/a.md", "[x](../data/schema.yaml)", "x"),
        ("docs/a.md", "[x](../code)", "x"),
        ("docs/a.md", "[x](https://example.com/a.md)", "[x](https://example.com/a.md)"),
        ("docs/a.md", "[x](#part)", "[x](#part)"),
        ("docs/a.md", "[x](wrong.md)", "[x](wrong.md)"),
        ("docs/a.md", "```\n[x](data/)\n```", "```\n[x](data/)\n```"),
    ],
)
def test_link_leads_to_the_page_or_is_plain_text_while_there_is_none(site, page, link, expected):
    assert adapt_markdown(site, page, link) == expected


def test_only_what_git_has_is_offered_as_a_file(site):
    adapt_markdown(site, "docs/a.md", "[x](../params.yaml) [y](../secret.yaml)")
    assert (site.source / "params.yaml").is_file()
    assert not (site.source / "secret.yaml").exists()


# Functions


def test_sections_of_a_docstring_become_lists():
    shown = describe_function(
        "---\n\n### f\n\n```python\ndef f(\n    a:int, # How many.\n):\n```\n\n*Return `<a>` if a < b.*\n\n"
        "Parameters\n----------\na : int\n    How many.\n\nRaises\n------\nDataError\n    None."
    )
    assert "### `f`" in shown and "`<a>` if a &lt; b" in shown
    assert "**Parameters**\n\n- a : int  \n    How many.\n\n**Raises**\n\n- DataError  \n    None." in shown
    assert "---" not in shown
    assert "    a:int,\n" in shown


# Metrics over commits


def test_table_has_the_newest_commit_first_and_gaps_for_figures_that_are_missing():
    points = [point("aaaaaaa", {"roc_auc": 0.7, "brier": 0.2}), point("bbbbbbb", {"roc_auc": 0.75}, subject="a|b <i>")]
    lines = tabulate_history(points)
    assert lines[0] == r"| commit | date | what | roc\_auc | baseline |"
    assert lines[2] == r"| `bbbbbbb` | 2026-01-02 | a\|b \<i> | 0.75 | 0.5 |"
    assert lines[3] == "| `aaaaaaa` | 2026-01-02 | Try | 0.7 | 0.5 |"
    assert tabulate_history([points[1], point("ccccccc", {"brier": 0.1})])[3].endswith("|  |  |")


def test_equal_figures_give_an_equal_picture():
    points = [point("aaaaaaa", {"roc_auc": 0.7}), point("bbbbbbb", {"brier": 0.7}), point("ccccccc", {"roc_auc": 0.8})]
    assert draw_history(points) == draw_history(points)
    ElementTree.fromstring(draw_history(points))


def test_commits_whose_figures_are_nowhere_are_counted(tmp_path, monkeypatch):
    class Answers:
        def __init__(self, root):
            self.metrics = self

        def __enter__(self):
            return self

        def __exit__(self, *error):
            pass

        def show(self, targets, revs):
            figures = {"candidate": {"roc_auc": 0.7}}
            answers = [{"data": {targets[0]: {"data": figures}}}, {"data": {targets[0]: {"error": OSError()}}}]
            return dict(zip(revs, [*answers, {"error": OSError()}], strict=True))

    def git(*words):
        identity = ["-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "commit.gpgsign=false"]
        subprocess.run(["git", "-C", tmp_path, *identity, *words], check=True)

    git("init", "--quiet")
    for text in ("one", "two", "three"):
        (tmp_path / "dvc.lock").write_text(text)
        git("add", "dvc.lock")
        git("commit", "--quiet", "--no-verify", "--message", text)
    monkeypatch.setattr(history, "Repo", Answers)
    points, skipped = read_history(tmp_path)
    assert [one.subject for one in points] == ["one"] and skipped == 2


def test_no_repository_and_no_run_are_no_error(tmp_path):
    assert read_history(tmp_path) == ([], 0)


def test_change_of_metrics_is_described_against_the_last_commit_that_has_others():
    old, new = {"candidate": {"auc": 0.7, "brier": 0.2}}, {"candidate": {"auc": 0.75, "brier": 0.2}}
    commits = [Commit("a1", "2026-01-01", "x", old), Commit("b2", "2026-01-02", "y", new)]
    assert describe_change(commits, new) == "Metrics since commit a1 of 2026-01-01: auc 0.7 to 0.75."
    assert describe_change(commits[1:], new) == describe_change([], new) == ""


def test_boxes_lead_to_notebook_and_report_and_names_stay_text():
    node = Node(("a<b", "report"), True, "step", {"a<b": 'n"x.html', "report": "r.html"})
    drawing = draw_flowchart(Flowchart({"s": node}), "Steps")
    assert '<a href="n&quot;x.html" text-decoration="underline">a&lt;b</a>' in drawing
    assert '<a href="r.html"' in drawing
