"""One issue per cause: opened once, kept up to date, closed when over, and left alone when it cannot be told."""

from stagebook.automate.issues import Cause, Issue, sync_issues


class Tracker:
    """Keeps issues as a host does; `calls` is what was asked for."""

    def __init__(self, *issues):
        self.issues = list(issues)
        self.closed, self.calls = {}, []

    def open_issues(self):
        return [issue for issue in self.issues if issue.number not in self.closed]

    def open_issue(self, title, body):
        self.calls.append("open")
        self.issues.append(Issue(len(self.issues) + 1, title, body))
        return f"#{len(self.issues)}"

    def change_issue(self, number, title, body):
        self.calls.append("change")
        self.issues[number - 1] = Issue(number, title, body)
        return f"#{number}"

    def close_issue(self, number, comment):
        self.calls.append("close")
        self.closed[number] = comment
        return f"#{number}"


WORSE, MOVED = Cause("Worse", "by much"), Cause("Moved", "far")


def test_the_second_run_does_nothing_a_change_is_one_update():
    tracker = Tracker(Issue(1, "Somebody else's", "worse"))
    assert sync_issues(tracker, {"worse": WORSE, "moved": MOVED}, [], "w 1") == ["opened: #2", "opened: #3"]
    assert sync_issues(tracker, {"worse": WORSE, "moved": MOVED}, [], "w 1") == []
    assert sync_issues(tracker, {"worse": Cause("Worse", "by more"), "moved": MOVED}, [], "w 2") == ["updated: #2"]
    assert tracker.issues[1].body == "<!-- stagebook monitor: worse -->\nby more"
    assert tracker.calls == ["open", "open", "change"]


def test_what_is_over_is_closed_with_a_comment_and_what_cannot_be_told_stays():
    tracker = Tracker()
    sync_issues(tracker, {"worse": WORSE, "moved": MOVED}, [], "w 1")
    assert sync_issues(tracker, {}, ["worse", "moved"], "w 2") == []
    assert sync_issues(tracker, {}, ["moved"], "w 3") == ["closed: #1"]
    assert tracker.closed == {1: "Over: window w 3 is within the threshold."}
    assert sync_issues(tracker, {"worse": WORSE}, ["moved"], "w 4") == ["opened: #3"], "a new one: it has come back"


def test_of_two_issues_about_one_cause_the_later_is_closed():
    body = "<!-- stagebook monitor: worse -->\nby much"
    tracker = Tracker(Issue(1, "Worse", body), Issue(2, "Worse", body))
    assert sync_issues(tracker, {"worse": WORSE}, [], "w") == ["closed: #2"]
    assert tracker.closed == {2: "The same as #1."}


def test_a_host_that_writes_other_line_ends_and_a_hostile_name_make_no_second_issue():
    tracker = Tracker()
    name = "a --> <b>\n"
    sync_issues(tracker, {name: WORSE}, [], "w")
    [issue] = tracker.issues
    tracker.issues[0] = Issue(1, issue.title, issue.body.replace("\n", "\r\n") + "\r\n")
    assert sync_issues(tracker, {name: WORSE}, [], "w") == []
    assert issue.body.startswith("<!-- stagebook monitor: a%20--%3E%20%3Cb%3E%0A -->\n")
