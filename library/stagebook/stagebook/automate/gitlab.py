"""The few calls to GitLab's REST API that the jobs need. https://docs.gitlab.com/api"""

import os
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

from .http import Api, required
from .issues import Issue
from .proposal import Proposal

__all__ = ["GitLab"]

LOOK_BACK = timedelta(days=400)  # for the last training


class GitLab:
    """The project that a job runs for, by the variables that GitLab CI sets, and GITLAB_TOKEN (a project access token)."""

    def __init__(self) -> None:
        self.server, self.user, self.token = required("CI_SERVER_URL"), "oauth2", required("GITLAB_TOKEN")
        self.author = (required("GITLAB_USER_NAME"), required("GITLAB_USER_EMAIL"))
        self.address = f"{required('CI_PROJECT_URL')}.git"
        api = f"{required('CI_API_V4_URL')}/projects/{required('CI_PROJECT_ID')}"
        self.api = Api(api, {"PRIVATE-TOKEN": self.token})

    def comment(self, number: str, text: str, marker: str) -> str:
        """Write the note that begins with `marker` on a merge request, or put `text` in its place; return its number."""
        notes = f"/merge_requests/{number}/notes"
        for note in self.api.pages(notes):
            if note["body"].startswith(marker):
                self.api.call("PUT", f"{notes}/{note['id']}", {"body": text})
                return f"note {note['id']}"
        return f"note {self.api.call('POST', notes, {'body': text})['id']}"

    def propose(self, proposal: Proposal) -> str:
        """Open a merge request from the proposal's branch, or bring the open one up to date; return its address."""
        texts = {"title": proposal.title, "description": proposal.body}
        where = {"source_branch": proposal.branch, "target_branch": proposal.base}
        for found in self.api.pages("/merge_requests", {**where, "state": "opened"}):
            return self.api.call("PUT", f"/merge_requests/{found['iid']}", texts)["web_url"]
        return self.api.call("POST", "/merge_requests", {**texts, **where, "remove_source_branch": True})["web_url"]

    def set_label(self, label: dict[str, str]) -> None:
        """Make a label, or give the one of that name this colour and meaning."""
        values = {"color": f"#{label['color']}", "description": label["description"]}
        if label["name"] in {found["name"] for found in self.api.pages("/labels")}:
            self.api.call("PUT", f"/labels/{quote(label['name'], safe='')}", values)
        else:
            self.api.call("POST", "/labels", {"name": label["name"], **values})

    def open_issues(self) -> list[Issue]:
        """Return the open issues."""
        found = self.api.pages("/issues", {"state": "opened"})
        return [Issue(one["iid"], one["title"], one["description"] or "") for one in found]

    def open_issue(self, title: str, body: str) -> str:
        """Open an issue; return its address."""
        return self.api.call("POST", "/issues", {"title": title, "description": body})["web_url"]

    def change_issue(self, number: int, title: str, body: str) -> str:
        """Give an issue another title and text; return its address."""
        return self.api.call("PUT", f"/issues/{number}", {"title": title, "description": body})["web_url"]

    def close_issue(self, number: int, comment: str) -> str:
        """Comment on an issue and close it; return its address."""
        self.api.call("POST", f"/issues/{number}/notes", {"body": comment})
        return self.api.call("PUT", f"/issues/{number}", {"state_event": "close"})["web_url"]

    def run_address(self) -> str:
        """Return the address of the job that this is in; empty outside of one."""
        return os.environ.get("CI_JOB_URL", "")

    def find_trainings(self) -> list[str]:
        """Return when the newest trainings were started, by people or by monitoring; those of the schedule do not count."""
        found, oldest = [], (datetime.now(UTC) - LOOK_BACK).isoformat()
        for job in self.api.pages("/jobs"):  # the newest first
            if job["created_at"] < oldest:
                break
            of_schedule = (job.get("pipeline") or {}).get("source") == "schedule"
            if job["name"] == "train" and job["status"] not in ("canceled", "skipped") and not of_schedule:
                found.append(job["created_at"])
        return found

    def start_training(self) -> str:
        """Start a pipeline with the job `train` on the default branch; return its address."""
        branch = required("CI_DEFAULT_BRANCH")
        return self.api.call("POST", "/pipeline", {"ref": branch})["web_url"]
