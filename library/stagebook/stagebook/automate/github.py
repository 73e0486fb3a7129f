"""The few calls to GitHub's REST API that the workflows need. https://docs.github.com/rest"""

import os
from urllib.parse import quote

from .http import Api, required
from .issues import Issue
from .proposal import Proposal

__all__ = ["GitHub"]

TRAIN = "train.yaml"


class GitHub:
    """The repository that a workflow runs for, by the variables that GitHub Actions sets, and GITHUB_TOKEN."""

    author = ("github-actions[bot]", "41898282+github-actions[bot]@users.noreply.github.com")

    def __init__(self) -> None:
        self.repository = required("GITHUB_REPOSITORY")
        self.server = os.environ.get("GITHUB_SERVER_URL", "https://github.com")
        self.address = f"{self.server}/{self.repository}.git"
        self.user, self.token = "x-access-token", required("GITHUB_TOKEN")
        api = os.environ.get("GITHUB_API_URL", "https://api.github.com")
        head = {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"}
        self.api = Api(f"{api}/repos/{self.repository}", head | {"Authorization": f"Bearer {self.token}"})

    def comment(self, number: str, text: str, marker: str) -> str:
        """Write the comment that begins with `marker` on a pull request, or put `text` in its place; return its address."""
        for comment in self.api.pages(f"/issues/{number}/comments"):
            if comment["body"].startswith(marker):
                return self.api.call("PATCH", f"/issues/comments/{comment['id']}", {"body": text})["html_url"]
        return self.api.call("POST", f"/issues/{number}/comments", {"body": text})["html_url"]

    def propose(self, proposal: Proposal) -> str:
        """Open a pull request from the proposal's branch, or bring the open one up to date; return its address."""
        texts = {"title": proposal.title, "body": proposal.body}
        head = f"{self.repository.split('/')[0]}:{proposal.branch}"
        for found in self.api.pages("/pulls", {"head": head, "base": proposal.base, "state": "open"}):
            return self.api.call("PATCH", f"/pulls/{found['number']}", texts)["html_url"]
        new = {**texts, "head": proposal.branch, "base": proposal.base}
        return self.api.call("POST", "/pulls", new)["html_url"]

    def set_label(self, label: dict[str, str]) -> None:
        """Make a label, or give the one of that name this colour and meaning."""
        if label["name"] in {found["name"] for found in self.api.pages("/labels")}:
            changed = {key: label[key] for key in ("color", "description")}
            self.api.call("PATCH", f"/labels/{quote(label['name'], safe='')}", changed)
        else:
            self.api.call("POST", "/labels", label)

    def open_issues(self) -> list[Issue]:
        """Return the open issues, without pull requests."""
        found = self.api.pages("/issues", {"state": "open"})
        return [Issue(one["number"], one["title"], one["body"] or "") for one in found if "pull_request" not in one]

    def open_issue(self, title: str, body: str) -> str:
        """Open an issue; return its address."""
        return self.api.call("POST", "/issues", {"title": title, "body": body})["html_url"]

    def change_issue(self, number: int, title: str, body: str) -> str:
        """Give an issue another title and text; return its address."""
        return self.api.call("PATCH", f"/issues/{number}", {"title": title, "body": body})["html_url"]

    def close_issue(self, number: int, comment: str) -> str:
        """Comment on an issue and close it; return its address."""
        self.api.call("POST", f"/issues/{number}/comments", {"body": comment})
        return self.api.call("PATCH", f"/issues/{number}", {"state": "closed", "state_reason": "completed"})["html_url"]

    def run_address(self) -> str:
        """Return the address of the run that this is in; empty outside of one."""
        run = os.environ.get("GITHUB_RUN_ID")
        return f"{self.server}/{self.repository}/actions/runs/{run}" if run else ""

    def find_trainings(self) -> list[str]:
        """Return when the newest trainings were started, by people or by monitoring; those of the schedule do not count."""
        answer = self.api.call("GET", f"/actions/workflows/{TRAIN}/runs?per_page=100")
        runs = [run for run in answer["workflow_runs"] if run["event"] != "schedule"]
        return [run["created_at"] for run in runs if run.get("conclusion") != "cancelled"]

    def start_training(self) -> str:
        """Start the workflow Train on the branch that this run is for; return what was started."""
        branch = os.environ.get("GITHUB_REF_NAME") or "main"
        self.api.call("POST", f"/actions/workflows/{TRAIN}/dispatches", {"ref": branch})
        return f"{TRAIN} on {branch}"
