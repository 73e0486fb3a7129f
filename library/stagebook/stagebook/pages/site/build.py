"""Make the documentation site in build/site: `make docs`."""

import html
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat

from ...project.errors import StepError
from ..compare.side import git
from .history import read_history
from .links import Site, adapt_markdown, link_report
from .notebooks import process_notebook
from .pages import write_reports_page, write_start_page

__all__ = ["build_site"]

DIRECTIVE = re.compile(r"<span class=\"[^\"]*\">#\| [^<]*</span>\n?")
REPORTS = (".html", ".png", ".jpg", ".jpeg", ".svg")
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
    site = Site(root, work / "source", frozenset(git(root, "ls-files", "-z").split("\0")), _find_reports(root))
    said, title = _write_source(site), _read_title(root)
    _run_sphinx(root, work, title)
    for report in sorted(site.reports):
        _copy_report(root / report, work / "site" / report)
    shutil.rmtree(root / "build" / "site", ignore_errors=True)
    (work / "site").rename(root / "build" / "site")
    return f"build/site/index.html: {said}"


def _find_reports(root: Path) -> frozenset[str]:
    """Return the pages and pictures in reports/, but not what a failed or unfinished step left there."""
    files = (file.relative_to(root) for file in (root / "reports").rglob("*") if file.suffix in REPORTS)
    return frozenset(
        file.as_posix()
        for file in files
        if not any(part.startswith(".") for part in file.parts) and ".failed" not in file.name
    )


def _copy_report(report: Path, copy: Path) -> None:
    """Copy a report; the directives of nbdev in the code of an executed notebook say nothing to a reader."""
    copy.parent.mkdir(parents=True, exist_ok=True)
    if report.suffix == ".html":
        copy.write_text(DIRECTIVE.sub("", report.read_text(encoding="utf-8")), encoding="utf-8")
    else:
        shutil.copyfile(report, copy)


def _write_source(site: Site) -> str:
    """Write what Sphinx reads, each file where the project has it, so that links between files stay as they are."""
    documents = sorted((site.root / "docs").rglob("*"), key=lambda file: (file.name != "README.md", file))
    documents += sorted((site.root / MANUAL).rglob("*.md"))
    for file in documents:
        if file.is_file() and file.name != "conf.py":
            copy = site.source / file.relative_to(site.root)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, copy)
    for notebook in sorted((site.root / "notebooks").glob("*.ipynb")):
        _write_notebook(site, notebook)
    pages = [file.relative_to(site.root).as_posix() for file in documents if file.suffix == ".md"]
    for page in pages:
        text = (site.root / page).read_text(encoding="utf-8")
        (site.source / page).write_text(adapt_markdown(site, page, text), encoding="utf-8")
    data = [page for page in pages if page.startswith("docs/data/")]
    manual = [page for page in pages if page.startswith(f"{MANUAL}/")]
    own = [page for page in pages if page not in (*data, *manual)]
    points, skipped = read_history(site.root)
    said = write_reports_page(site, points, skipped)
    write_start_page(site, _read_title(site.root), points, own, data, manual)
    return said


def _write_notebook(site: Site, notebook: Path) -> None:
    """Write the page of a step, with a link to what it was when it was last executed."""
    page, report = f"notebooks/{notebook.name}", f"reports/{notebook.stem}.html"
    executed = link_report(page, report, "The latest report") + ": this notebook executed, with tables and plots."
    process_notebook(notebook, site.source / page, executed if report in site.reports else "")
    shown = nbformat.read(site.source / page, as_version=4)
    for cell in shown.cells:
        if cell.cell_type == "markdown":
            cell.source = adapt_markdown(site, page, cell.source)
    nbformat.write(shown, site.source / page)


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
