"""The reports on the site: the pages that the steps wrote, with the site's navigation above them."""

import html
import re
import shutil
from pathlib import Path

from ...project.root import find_notebooks
from .links import Site, link_report

__all__ = ["CARDS", "COMPARISON", "copy_reports", "find_reports"]

CARDS = {"reports/card/model_card.html": "Model card", "reports/card/data_sheet.html": "Data sheet"}
COMPARISON = "reports/compare.html"
KINDS = (".html", ".png", ".jpg", ".jpeg", ".svg")
DIRECTIVE = re.compile(r"<span class=\"[^\"]*\">#\| [^<]*</span>\n?")
BODY = re.compile(r"<body[^>]*>")


def find_reports(root: Path) -> frozenset[str]:
    """Return the pages and plots in reports/, but not what a failed or unfinished step left there."""
    files = (file.relative_to(root) for file in (root / "reports").rglob("*") if file.suffix in KINDS)
    return frozenset(
        file.as_posix()
        for file in files
        if not any(part.startswith(".") for part in file.parts) and ".failed" not in file.name
    )


def copy_reports(site: Site, folder: Path, title: str, change: str) -> None:
    """Copy all reports into `folder`; pages get navigation, those of steps also `change`: what is new since the last run."""
    for report in sorted(site.reports):
        copy = folder / report
        copy.parent.mkdir(parents=True, exist_ok=True)
        if report.endswith(".html"):
            text = DIRECTIVE.sub("", (site.root / report).read_text(encoding="utf-8"))  # nbdev's: of no use to a reader
            copy.write_text(_add_navigation(site, report, text, title, change), encoding="utf-8")
        else:
            shutil.copyfile(site.root / report, copy)


def _add_navigation(site: Site, report: str, text: str, title: str, change: str) -> str:
    steps = {file.stem: file.relative_to(site.root).as_posix() for file in find_notebooks(site.root)}
    notebook = steps.get(Path(report).stem, "")
    of_step = Path(report).parent == Path("reports") and notebook and (site.source / notebook).is_file()
    targets = {"index.html": title, "reports.html": "Reports"}
    targets |= {notebook.replace(".ipynb", ".html"): "This notebook with its functions"} if of_step else {}
    targets |= {file: name for file, name in CARDS.items() if file in site.reports and file != report}
    targets |= {COMPARISON: "Comparison"} if COMPARISON in site.reports and report != COMPARISON else {}
    links = [link_report(report, target, html.escape(name)) for target, name in targets.items()]
    changed = f"<p>{html.escape(change)}</p>" if of_step and change else ""
    return BODY.sub(lambda body: f"{body[0]}\n<nav>{' '.join(links)}{changed}</nav>", text, count=1)
