"""Commands of monitoring: the verdict on the newest window, and the files for Prometheus and Grafana."""

import os
import sys
from datetime import UTC, datetime
from pathlib import Path

from ..project.errors import StagebookError, StepError
from ..project.root import find_root
from .automation import _forge
from .command import argument, command

GROUP = "Serving"
CODES = {"ok": 0, "act": 1, "cannot tell": 2}


@command(
    GROUP,
    argument("--notify", action="store_true", help="send it to NOTIFY_URL, unless all is fine"),
    argument("--issues", action="store_true", help="one issue per alarm on GitHub or GitLab; then alarms exit with 0"),
    argument("--train", action="store_true", help="start the workflow Train if a training is due"),
    argument("--demand", action="store_true", help="ask for a training: triggers of kind `on demand` fire"),
)
def monitor(notify: bool, issues: bool, train: bool, demand: bool) -> int:
    """Print what follows from the windows measured: exit code 0 fine, 1 act, 2 cannot tell."""
    try:
        return _monitor(find_root(), notify, issues, train, demand)
    except StagebookError as error:  # 1 would mean: act
        print(f"ERROR: {error}", file=sys.stderr)
        return 2


def _monitor(root: Path, notify: bool, issues: bool, train: bool, demand: bool) -> int:
    from ..monitor import alarms, history
    from ..monitor.settings import FILE, read_monitoring
    from ..monitor.triggers import decide

    settings, now = read_monitoring(root / FILE), datetime.now(UTC)
    records = history.read_history(root / history.FILE)
    forge = _forge() if issues or train else None
    retrained = forge.find_trainings() if forge else _registered()
    verdict = decide(records, settings, now, retrained, demanded=demand)
    about = (records, settings)
    links = alarms.find_links(root, forge.run_address() if forge else "")
    text = alarms.describe_verdict(verdict, *about, now, links)
    print(text)
    if issues:
        _sync(forge, verdict, about, now, links)
    if train and verdict.retrain:
        print(f"Training started: {forge.start_training()}")
    if notify and (verdict.state != "ok" or verdict.alarms):
        _send(verdict, text)
    return 0 if verdict.state == "act" and issues else CODES[verdict.state]


def _registered() -> list[datetime]:
    """Return when versions of the model were registered."""
    from ..registry.versions import find_versions
    from .models import _registry

    with _registry() as name:
        made = [version.creation_timestamp / 1000 for version in find_versions(name).values()]
    return [datetime.fromtimestamp(seconds, UTC) for seconds in made]


def _sync(forge, verdict, about: tuple, now: datetime, links: list) -> None:
    from ..automate.issues import Cause, sync_issues
    from ..monitor.alarms import describe_alarm, title_of

    stable = [link for link in links if link[0] != "run of CI"]  # else each run would change each issue
    causes = {
        alarm.name: Cause(title_of(alarm), describe_alarm(alarm, *about, verdict, now, stable))
        for alarm in verdict.alarms
    }
    for line in sync_issues(forge, causes, verdict.unknown, verdict.window):
        print(f"Issue {line}")


def _send(verdict, text: str) -> None:
    from dataclasses import asdict

    from ..automate.notify import notify

    if not os.environ.get("NOTIFY_URL"):
        print("NOTIFY_URL is not set: nobody is notified.")
        return
    notify(f"Monitoring: {verdict.state}", text, **asdict(verdict))


@command(GROUP, argument("folder", nargs="?", default="build/dashboards", help="where to (build/dashboards)"))
def dashboards(folder: str) -> None:
    """Write the Grafana dashboard and the Prometheus rules for the service's /metrics."""
    from ..monitor.dashboards import write_dashboards

    target = Path(folder)
    if target.exists() and not target.is_dir():
        raise StepError(f"{folder} is a file. Name a folder.")
    for file in write_dashboards(target):
        print(file)
