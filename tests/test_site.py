"""`make docs`: the site that a user opens has what it promises, leads nowhere wrong and needs no network."""

import json
import re
from collections import Counter
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from baked import STEPS, Project, bake_ready, copy_project
from test_options import HOSTILE

pytestmark = pytest.mark.slow

LOADS = {"script": "src", "img": "src", "iframe": "src", "source": "src", "video": "src", "object": "data"}


class Page(HTMLParser):
    """What a page links to, what it loads, its anchors, and its words."""

    def __init__(self, text: str):
        super().__init__()
        self.links, self.loads, self.anchors, self.words, self.hidden = [], [], set(), [], ""
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = dict(attributes)
        self.anchors |= {given[name] for name in ("id", "name") if given.get(name)}
        if tag == "a" and given.get("href"):
            self.links.append(given["href"])
        elif tag == "link" and given.get("rel") in ("stylesheet", "icon", "preload", "preconnect", "modulepreload"):
            self.loads.append(given["href"])
        elif given.get(LOADS.get(tag, "")):
            self.loads.append(given[LOADS[tag]])
        if tag in ("script", "style"):
            self.hidden = tag

    def handle_endtag(self, tag: str) -> None:
        if tag == self.hidden:
            self.hidden = ""

    def handle_data(self, data: str) -> None:
        if not self.hidden:
            self.words.append(data)


def read_site(project: Project) -> dict[Path, Page]:
    folder = project.path / "build" / "site"
    return {file: Page(file.read_text(encoding="utf-8")) for file in folder.rglob("*.html")}


def broken(site: dict[Path, Page]) -> list[str]:
    """Links and images inside the site that lead nowhere, and all that a page would load from elsewhere."""
    wrong = []
    for file, page in site.items():
        for target in [*page.links, *page.loads]:
            parts = urlsplit(target)
            if parts.scheme or parts.netloc:
                if target in page.loads and parts.scheme != "data":
                    wrong.append(f"{file} loads {target}")
                continue
            there = (file.parent / unquote(parts.path)).resolve() if parts.path else file
            anchor = unquote(parts.fragment)
            known = site[there].anchors if there in site else None
            if not there.is_file() or (anchor and known is not None and anchor not in known | {"top"}):
                wrong.append(f"{file} leads to {target}")
    return wrong


def words(page: Page) -> str:
    return "".join(page.words)


def make_docs(project: Project) -> dict[Path, Page]:
    """Run `make docs`; nothing but build/ may change, and nothing may be warned of."""
    before = project.run("git", "status", "--porcelain").stdout
    result = project.run("make", "docs")
    assert "warning" not in (result.stdout + result.stderr).lower(), result.stderr
    assert project.run("git", "status", "--porcelain").stdout == before
    return {file.resolve(): page for file, page in read_site(project).items()}


def page_of(site: dict[Path, Page], project: Project, name: str) -> Page:
    return site[(project.path / "build" / "site" / f"{name}.html").resolve()]


def hashes_of_files(project: Project) -> dict[str, bytes]:
    folder = project.path / "build" / "site"
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def two_commits(with_weaker_model, tmp_path_factory) -> Iterator[Project]:
    """The sample, and another commit with another model, whose subject is hard to carry."""
    project = copy_project(with_weaker_model, tmp_path_factory.mktemp("site"))
    yield project
    project.stop()


@pytest.fixture(scope="module")
def site(two_commits) -> dict[Path, Page]:
    return make_docs(two_commits)


def test_every_document_notebook_and_report_is_there(site, two_commits):
    folder = two_commits.path / "build" / "site"
    there = {file.relative_to(folder.resolve()).as_posix() for file in site}
    documents = {
        file.relative_to(two_commits.path).with_suffix(".html").as_posix()
        for file in (two_commits.path / "docs").rglob("*.md")
    }
    expected = {
        "index.html",
        "reports.html",
        *documents,
        "reports/card/model_card.html",
        "reports/card/data_sheet.html",
    }
    steps = [file.stem for file in (two_commits.path / "notebooks").glob("*.ipynb")]
    assert len(steps) == len(STEPS)
    expected |= {f"{place}/{step}.html" for place in ("notebooks", "reports") for step in steps}
    assert "docs/data/raw-flights.html" in expected
    assert expected <= there, expected - there


def test_every_link_leads_somewhere_and_nothing_comes_from_elsewhere(site, two_commits):
    assert broken(site) == []
    for sheet in (two_commits.path / "build" / "site").rglob("*.css"):
        assert not re.search(r"(@import|url\()\s*['\"]?(https?:)?//", sheet.read_text(encoding="utf-8")), sheet


def test_checker_of_links_finds_what_is_wrong(tmp_path):
    text = '<a href="no.html">x</a><a href="#no">y</a><img src="https://a.b/c.png"><script src="//a.b/c.js"></script>'
    (tmp_path / "a.html").write_text(f'{text}<a href="a.html#here" id="here">z</a><a href="https://a.b/">w</a>')
    file = (tmp_path / "a.html").resolve()
    assert len(broken({file: Page(file.read_text())})) == 4


def test_notebook_page_has_narrative_functions_and_report_but_no_directives(site, two_commits):
    page = page_of(site, two_commits, "notebooks/40_features")
    said = words(page)
    for text in (
        "Build features",
        "Delays accumulate over",
        "minutes_since_midnight",
        "Return clock times such as 1259",
    ):
        assert text in said
    assert "hhmm // 100 * 60" not in said, "the code of a function is in its module"
    assert "../reports/40_features.html" in page.links
    for file, shown in site.items():
        if file.parent.name in ("notebooks", "reports"):
            assert "#|" not in words(shown), file


def test_first_page_answers_what_the_model_is_for_how_good_it_is_and_what_changed(site, two_commits):
    page = page_of(site, two_commits, "index")
    said = " ".join(words(page).split())
    metrics = json.loads(two_commits.read("reports/metrics.json"))
    low, high = metrics["intervals"]["candidate"]["roc_auc"]
    cost = metrics["value"]["cost"]
    assert "the connection desk can rebook passengers" in said
    assert f"{metrics['candidate']['roc_auc']:.4f}" in said
    assert f"{low:.4f} to {high:.4f}" in said
    assert f"cost {cost['candidate']:g} USD per flight, without a model {cost['no model']:g}" in said
    decision = json.loads(two_commits.read("reports/registration.json"))
    assert ("Refused." if decision["refused"] else "Passed.") in said
    changed = said[said.index("What changed") :]
    assert all(
        commit in changed
        for commit in two_commits.run("git", "log", "-2", "--format=%h", "--", "dvc.lock").stdout.split()
    )
    assert len([target for target in page.loads if target.endswith(".png")]) == 2


def test_metrics_of_both_commits_are_on_the_reports_page(site, two_commits):
    page = page_of(site, two_commits, "reports")
    said = words(page)
    commits = two_commits.run("git", "log", "-2", "--format=%h", "--", "dvc.lock").stdout.split()
    for commit in commits:
        assert commit in said
    assert "Fewer <b>trees</b> & `less` $x$ | {y}" in said
    assert "roc_auc" in said
    asked = ["--json", "--all", *commits[::-1], "--targets", "reports/metrics.json"]
    answer = two_commits.run("dvc", "metrics", "diff", *asked).stdout
    figures = json.loads(answer)["reports/metrics.json"]
    for name in ("roc_auc", "brier"):
        for side in ("old", "new"):
            assert str(figures[f"candidate.{name}"][side]) in said
    pictures = [Path(load).name for load in page.loads]
    assert Counter(pictures)["history.svg"] == 1
    assert {"notebooks/60_evaluate.html", "reports/60_evaluate.html", "#metrics-over-commits"} <= set(page.links)


def test_reports_and_cards_lead_back_to_the_site_and_name_what_changed(site, two_commits):
    for name in ("reports/60_evaluate", "reports/card/model_card"):
        back = "../" * name.count("/")
        assert {f"{back}index.html", f"{back}reports.html"} <= set(page_of(site, two_commits, name).links)
    said = words(page_of(site, two_commits, "reports/60_evaluate"))
    older = two_commits.run("git", "log", "-2", "--format=%h", "--", "dvc.lock").stdout.split()[1]
    assert f"Metrics since commit {older}" in said


def test_lineage_of_the_catalog_is_drawn(site, two_commits):
    page = page_of(site, two_commits, "docs/data/README")
    assert "flowchart TB" not in words(page)
    [drawing] = [load for load in page.loads if load.endswith(".svg") and "diagram" in load]
    text = (two_commits.path / "build" / "site" / "docs" / "data" / drawing).resolve().read_text(encoding="utf-8")
    for name in ("raw/flights", "features", "models/candidate"):
        assert f">{name}<" in text


def test_two_builds_give_the_same_bytes_and_a_page_that_is_gone_goes(site, two_commits):
    first = hashes_of_files(two_commits)
    (two_commits.path / "build" / "site" / "old.html").write_text("old")
    make_docs(two_commits)
    second = hashes_of_files(two_commits)
    assert second.keys() == first.keys()
    assert [name for name in first if first[name] != second[name]] == []


def test_a_link_that_leads_nowhere_is_an_error_and_the_last_site_stays(site, two_commits):
    document = two_commits.path / "docs" / "solution_architecture.md"
    before, text = hashes_of_files(two_commits), document.read_text(encoding="utf-8")
    document.write_text(f"{text}\n[x](no_such_page.md)\n", encoding="utf-8")
    try:
        result = two_commits.run("make", "docs", ok=False)
    finally:
        document.write_text(text, encoding="utf-8")
    assert "no_such_page.md" in result.stderr
    assert "Traceback" not in result.stderr
    assert hashes_of_files(two_commits) == before


def test_commit_whose_files_are_in_no_cache_is_counted(site, two_commits):
    commit = two_commits.run("git", "log", "-2", "--format=%h", "--", "dvc.lock").stdout.split()[1]
    locked = two_commits.run("git", "show", f"{commit}:dvc.lock").stdout
    md5 = re.search(r"path: reports/metrics\.json\n\s+hash: md5\n\s+md5: (\w+)", locked)[1]
    cached = two_commits.path / ".dvc" / "cache" / "files" / "md5" / md5[:2] / md5[2:]
    away = cached.with_name("away")
    cached.rename(away)
    try:
        said = words(page_of(make_docs(two_commits), two_commits, "reports"))
    finally:
        away.rename(cached)
    assert "in no cache that can be reached: 1." in said
    assert commit not in said


@pytest.mark.parametrize("data", ["flights", "own"])
def test_hostile_names_before_any_run(tmp_path, data):
    table = tmp_path / "a.csv"
    table.write_text("a,b\n1,2\n")
    answers = {"data": "own", "data_path": str(table), "target": "b"} if data == "own" else {}
    project = bake_ready(tmp_path, **HOSTILE, **answers)
    pages = make_docs(project)
    assert broken(pages) == []
    start, reports = page_of(pages, project, "index"), page_of(pages, project, "reports")
    assert " ".join(HOSTILE["project_name"].split()) in words(start)
    assert " ".join(HOSTILE["description"].split()) in words(start)
    assert "No report is here yet" in words(reports)
    assert "No commit has metrics yet" in words(reports)
