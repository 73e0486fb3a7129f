"""The page *Monitoring* of the site: all windows are there, names of others stay text, equal records give an equal page."""

import json
from html.parser import HTMLParser

import pytest
from records import record
from records import write_settings as write
from stagebook.pages.site.links import Site
from stagebook.pages.site.monitoring import write_monitoring_page

HOSTILE = "<img src=x onerror=alert(1)>|`$x$`\n# no"


@pytest.fixture
def site(tmp_path):
    """A project with docs/monitoring.yaml, and the folder that Sphinx reads."""
    for folder in ("docs", "source", "reports/monitoring"):
        (tmp_path / folder).mkdir(parents=True)
    write(tmp_path / "docs")
    return Site(tmp_path, tmp_path / "source", frozenset(), frozenset({"reports/90_monitor.html"}))


def show(site, *records):
    (site.root / "reports" / "monitoring" / "history.json").write_text(json.dumps({"windows": records}))
    assert write_monitoring_page(site)
    return (site.source / "monitoring.md").read_text(encoding="utf-8")


def judged(number, drop, auc):
    auc = {"value": auc, "low": auc - 0.01, "high": auc + 0.01}
    return record(number, drop, performance={"roc_auc": auc}, estimate={"roc_auc": auc | {"value": 0.75}})


def test_the_page_has_verdict_alarm_picture_and_every_window_the_newest_first(site):
    text = show(site, judged(0, 0.0, 0.75), judged(1, 0.2, 0.6), judged(2, 0.2, 0.61))
    assert '<a href="reports/90_monitor.html">The report of the newest window</a>' in text
    assert "## Monitoring of window week 2: act" in text
    assert "### Monitoring: worse (performance\\_drop above 0.05)" in text
    rows = [line for line in text.partition("## History")[2].splitlines() if line.startswith("| `week")]
    assert [row.split(" | ")[0] for row in rows] == ["| `week 2`", "| `week 1`", "| `week 0`"]
    assert rows[0].split(" | ")[4:6] == ["0.61 (0.6 to 0.62)", "0.75 (0.6 to 0.62)"]
    drawing = (site.source / "monitoring.svg").read_text()
    assert "with true values" in drawing or drawing.count("<path") > 10
    assert show(site, judged(0, 0.0, 0.75), judged(1, 0.2, 0.6), judged(2, 0.2, 0.61)) == text
    assert (site.source / "monitoring.svg").read_text() == drawing


def test_without_windows_the_page_says_how_to_get_them_and_without_settings_there_is_none(site):
    assert write_monitoring_page(site)
    assert "No window has been measured yet" in (site.source / "monitoring.md").read_text()
    (site.root / "docs" / "monitoring.yaml").unlink()
    assert not write_monitoring_page(site)


def test_hostile_names_of_windows_features_and_versions_stay_text(site):
    one = judged(0, 0.2, 0.6) | {"notes": [HOSTILE], "versions": {HOSTILE: 5}}
    one["drift"] = {"share": 0.9, "moved": [HOSTILE], "features": [{"feature": HOSTILE, "psi": 1.0}]}
    one["window"] |= {"name": HOSTILE}
    two = judged(1, 0.2, 0.6) | {"versions": {HOSTILE: 5}, "drift": one["drift"]}
    text = show(site, one, two)
    assert "\n# no" not in text
    found = HTMLParser()
    tags = []
    found.handle_starttag = lambda tag, attributes: tags.append(tag)
    found.feed(text.replace("\\<", "&lt;"))
    assert set(tags) == {"a", "code"}
