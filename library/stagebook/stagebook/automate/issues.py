"""One issue for each cause that alarms: opened, kept up to date, and closed when the cause is gone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import quote

__all__ = ["Cause", "Issue", "sync_issues"]

HEAD = "<!-- stagebook monitor: "


@dataclass(frozen=True)
class Issue:
    """An open issue."""

    number: int
    title: str
    body: str


@dataclass(frozen=True)
class Cause:
    """What an issue is about."""

    title: str
    body: str


class Tracker(Protocol):
    """What GitHub and GitLab offer."""

    def open_issues(self) -> Sequence[Issue]: ...
    def open_issue(self, title: str, body: str) -> str: ...
    def change_issue(self, number: int, title: str, body: str) -> str: ...
    def close_issue(self, number: int, comment: str) -> str: ...


def sync_issues(tracker: Tracker, causes: Mapping[str, Cause], unknown: Sequence[str], window: str) -> list[str]:
    """Open, change and close issues until there is one for each cause; return a line for each call.

    An issue is known by a marker in its body. Run twice, nothing is done the second time.

    Parameters
    ----------
    causes : mapping of Cause
        By name, of those that alarm now.
    unknown : list of str
        Names of causes that cannot be told: their issues stay as they are.
    window : str
        The newest window, for the last comment.
    """
    done, found = [], {}
    for issue in sorted(tracker.open_issues(), key=lambda one: one.number):
        if issue.body.startswith(HEAD):
            found.setdefault(issue.body.splitlines()[0], []).append(issue)
    for name, cause in causes.items():
        body = f"{_marker(name)}\n{cause.body}"
        first, *more = found.pop(_marker(name), [None])
        if first is None:
            done.append(f"opened: {tracker.open_issue(cause.title, body)}")
        elif (first.title, first.body.split()) != (cause.title, body.split()):  # GitHub keeps other line ends
            done.append(f"updated: {tracker.change_issue(first.number, cause.title, body)}")
        done += [f"closed: {tracker.close_issue(one.number, f'The same as #{first.number}.')}" for one in more]
    kept = {_marker(name) for name in unknown}
    over = f"Over: window {window} is within the threshold." if window else "Over."
    gone = [issue for marker, issues in found.items() if marker not in kept for issue in issues]
    return done + [f"closed: {tracker.close_issue(issue.number, over)}" for issue in gone]


def _marker(name: str) -> str:
    return f"{HEAD}{quote(name, safe='')} -->"
