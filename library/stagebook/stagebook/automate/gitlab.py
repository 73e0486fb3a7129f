"""The few calls to GitLab's REST API that the jobs need. https://docs.gitlab.com/api"""

from urllib.parse import quote

from .http import Api, required
from .proposal import Proposal

__all__ = ["GitLab"]


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
