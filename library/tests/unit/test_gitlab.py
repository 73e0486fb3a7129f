"""The calls to GitLab, against a server that remembers what it is told."""

import json
import threading
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from stagebook.automate.gitlab import GitLab
from stagebook.automate.issues import Cause, sync_issues
from stagebook.automate.proposal import Proposal
from stagebook.project.errors import StepError


class Handler(BaseHTTPRequestHandler):
    """Lists of notes, merge requests and labels; one thing on a page."""

    def answer(self):
        path, _, query = self.path.removeprefix("/api/v4/projects/12").partition("?")
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or "{}")
        name, _, which = (
            path.rpartition("/") if path.rpartition("/")[2].isdigit() and self.command == "PUT" else (path, "", "")
        )
        things = self.server.things.setdefault(name, [])
        page = int(dict(pair.split("=") for pair in query.split("&") if pair).get("page", 1))
        allowed = self.headers.get("PRIVATE-TOKEN") == "glpat-test"
        if not allowed:
            content = {"message": "401 Unauthorized"}
        elif self.command == "GET":
            content = things[page - 1 : page]
        elif self.command == "POST":
            number = len(things) + 1
            content = {"id": number, "iid": number, "web_url": f"https://host/{number}"} | body
            things.append(content)
        else:
            content = things[int(which) - 1]
            content.update(body)
        self.send_response(200 if allowed else 401)
        if self.command == "GET" and page < len(things):
            self.send_header(
                "Link", f'<{self.server.address}{self.path.partition("?")[0]}?page={page + 1}>; rel="next"'
            )
        self.end_headers()
        self.wfile.write(json.dumps(content).encode())

    do_GET = do_POST = do_PUT = answer

    def log_message(self, *_):
        pass


@pytest.fixture
def server(monkeypatch):
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.things, server.address = {}, f"http://127.0.0.1:{server.server_address[1]}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    for name, value in {
        "CI_SERVER_URL": server.address,
        "CI_API_V4_URL": f"{server.address}/api/v4",
        "CI_PROJECT_ID": "12",
        "CI_PROJECT_URL": f"{server.address}/o/r",
        "GITLAB_TOKEN": "glpat-test",
        "GITLAB_USER_NAME": "Bot",
        "GITLAB_USER_EMAIL": "bot@example.com",
    }.items():
        monkeypatch.setenv(name, value)
    yield server
    server.shutdown()


def test_the_same_note_is_written_anew_wherever_it_stands(server):
    notes = "/merge_requests/7/notes"
    server.things[notes] = [{"id": 1, "body": "Somebody else's"}, {"id": 2, "body": "And another"}]
    assert GitLab().comment("7", "<!-- m --> one", "<!-- m -->") == "note 3"
    assert GitLab().comment("7", "<!-- m --> two", "<!-- m -->") == "note 3"
    assert [note["body"] for note in server.things[notes]] == ["Somebody else's", "And another", "<!-- m --> two"]


def test_an_open_merge_request_is_brought_up_to_date(server):
    for title in ("first", "second"):
        address = GitLab().propose(Proposal("retrain", "main", title, "text"))
    assert address == "https://host/1"
    [request] = server.things["/merge_requests"]
    assert (request["title"], request["source_branch"], request["target_branch"]) == ("second", "retrain", "main")


def test_a_label_is_made(server):
    GitLab().set_label({"name": "data create", "color": "2da44e", "description": "x"})
    assert server.things["/labels"][0]["color"] == "#2da44e"


def test_a_refusal_is_said_in_a_line(server, monkeypatch):
    monkeypatch.setenv("GITLAB_TOKEN", "wrong")
    with pytest.raises(StepError, match=r"POST .*/labels was refused: 401 .*401 Unauthorized|GET .* 401"):
        GitLab().set_label({"name": "x", "color": "2da44e", "description": "x"})
    monkeypatch.delenv("GITLAB_TOKEN")
    with pytest.raises(StepError, match="GITLAB_TOKEN is not set"):
        GitLab()


def test_issues_are_opened_changed_closed_and_found_again(server):
    server.things["/issues"] = []
    assert sync_issues(GitLab(), {"worse": Cause("Worse", "by much")}, [], "w 1") == ["opened: https://host/1"]
    assert sync_issues(GitLab(), {"worse": Cause("Worse", "by much")}, [], "w 1") == []
    assert sync_issues(GitLab(), {"worse": Cause("Worse", "by more")}, [], "w 2") == ["updated: https://host/1"]
    assert sync_issues(GitLab(), {}, [], "w 3") == ["closed: https://host/1"]
    [issue] = server.things["/issues"]
    assert (issue["description"], issue["state_event"]) == ("<!-- stagebook monitor: worse -->\nby more", "close")
    assert server.things["/issues/1/notes"][0]["body"] == "Over: window w 3 is within the threshold."


def test_trainings_are_the_jobs_of_train_that_no_schedule_started(server, monkeypatch):
    monkeypatch.setenv("CI_DEFAULT_BRANCH", "main")
    day = datetime.now(UTC)
    jobs = [("train", "running", 0, "api"), ("check", "success", 1, "push"), ("train", "success", 2, "schedule")]
    jobs += [("train", "canceled", 3, "web"), ("train", "failed", 4, "web"), ("train", "success", 500, "web")]
    server.things["/jobs"] = [
        {
            "name": name,
            "status": status,
            "created_at": (day - timedelta(days=age)).isoformat(),
            "pipeline": {"source": by},
        }
        for name, status, age, by in jobs
    ]
    found = GitLab().find_trainings()
    assert found == [(day - timedelta(days=age)).isoformat() for age in (0, 4)]
    assert GitLab().start_training() == "https://host/1"
    assert server.things["/pipeline"] == [{"id": 1, "iid": 1, "web_url": "https://host/1", "ref": "main"}]
