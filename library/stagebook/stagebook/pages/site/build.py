"""Make the documentation site in build/site: `make docs`."""

import html
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat

from ...project.errors import StepError
from ...project.root import find_notebooks
from ..compare.side import git
from .history import Commit, describe_change, read_history
from .links import Site, adapt_markdown, link_report
from .notebooks import process_notebook
from .pages import write_reports_page, write_start_page
from .reports import copy_reports, find_reports

__all__ = ["build_site"]

MANUAL = "vendor/stagebook/docs"  # the project's documents link to it; not there if the library is from a package index


def build_site(root: Path) -> str:
    """Make the site from what is there now; return in a line what it shows.

    Raises
    ------
    StepError
        A notebook cannot be shown, or Sphinx has warned: for example of a link that leads nowhere. The last good site stays.
    """
    work = root / "build" / "docs"
    shutil.rmtree(work, ignore_errors=True)
    site = Site(root, work / "source", frozenset(git(root, "ls-files", "-z").split("\0")), find_reports(root))
    commits, skipped = read_history(root)
    said, title = _write_source(site, commits, skipped), _read_title(root)
    _run_sphinx(root, work, title)
    copy_reports(site, work / "site", title, describe_change(commits, _read_metrics(root)))
    shutil.rmtree(root / "build" / "site", ignore_errors=True)
    (work / "site").rename(root / "build" / "site")
    return f"build/site/index.html: {said}"


def _write_source(site: Site, commits: list[Commit], skipped: int) -> str:
    """Write what Sphinx reads, each file where the project has it, so that links between files stay as they are."""
    documents = sorted((site.root / "docs").rglob("*"), key=lambda file: (file.name != "README.md", file))
    documents += sorted((site.root / MANUAL).rglob("*.md"))
    for file in documents:
        if file.is_file() and file.name != "conf.py":
            copy = site.source / file.relative_to(site.root)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, copy)
    for notebook in find_notebooks(site.root):
        _write_notebook(site, notebook)
    pages = [file.relative_to(site.root).as_posix() for file in documents if file.suffix == ".md"]
    for page in pages:
        text = (site.root / page).read_text(encoding="utf-8")
        (site.source / page).write_text(adapt_markdown(site, page, text), encoding="utf-8")
    data = [page for page in pages if page.startswith("docs/data/")]
    manual = [page for page in pages if page.startswith(f"{MANUAL}/")]
    own = [page for page in pages if page not in (*data, *manual)]
    said = write_reports_page(site, commits, skipped)
    write_start_page(site, _read_title(site.root), commits, own, data, manual)
    return said


def _write_notebook(site: Site, notebook: Path) -> None:
    """Write the page of a step, with a link to what it was when it was last executed."""
    page, report = notebook.relative_to(site.root).as_posix(), f"reports/{notebook.stem}.html"
    executed = link_report(page, report, "The latest report") + ": this notebook executed, with tables and plots."
    process_notebook(notebook, site.source / page, executed if report in site.reports else "")
    shown = nbformat.read(site.source / page, as_version=4)
    for cell in shown.cells:
        if cell.cell_type == "markdown":
            cell.source = adapt_markdown(site, page, cell.source)
    nbformat.write(shown, site.source / page)


def _read_metrics(root: Path) -> dict:
    file = root / "reports" / "metrics.json"
    return json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}


def _read_title(root: Path) -> str:
    """Return the name of the project for people: the first heading of README.md."""
    readme = root / "README.md"
    first = readme.read_text(encoding="utf-8").partition("\n")[0] if readme.is_file() else ""
    return first.removeprefix("#").strip() or root.name


def _run_sphinx(root: Path, work: Path, title: str) -> None:
    """Run Sphinx with docs/conf.py; each warning is an error."""
    options = ["-b", "html", "-q", "-E", "-W", "--keep-going", "-c", root / "docs", "-d", work / "doctrees"]
    names = ["-D", f"project={title}", "-D", f"html_title={html.escape(title)}"]
    command = [sys.executable, "-m", "sphinx", *options, *names, work / "source", work / "site"]
    if subprocess.run(command, env=os.environ | {"PYTHONHASHSEED": "0"}, check=False).returncode:
        raise StepError(
            "Sphinx found what is said above; paths there begin at build/docs/source. build/site is as it was."
        )
