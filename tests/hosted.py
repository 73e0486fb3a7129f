"""Stand-ins: for GitHub, a runner that executes a workflow's steps and the API that these call; for a lineage server."""

import json
import os
import re
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Self
from urllib.parse import unquote

from ruamel.yaml import YAML

NOT_EXECUTED = ("actions/checkout", "actions/setup-python", "actions/cache", "actions/upload-pages-artifact")


class Collector:
    """A server that keeps the OpenLineage events that it gets, while the block runs."""

    def __enter__(self) -> Self:
        self.received = received = []

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                received.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(201)
                self.end_headers()

            def log_message(self, *_) -> None:
                """Print nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_) -> None:
        self.server.shutdown()
        self.server.server_close()


class GitHub:
    """Comments, pull requests, labels, issues and runs of one repository, over HTTP, a few on a page.

    `calls` is what was asked. Pull requests are issues too, as on GitHub. `now` is when a run is made.
    """

    page = 2

    def __init__(self) -> None:
        self.things: dict[str, list[dict]] = {"comments": [], "pulls": [], "labels": [], "issues": [], "runs": []}
        self.now = "2024-01-01T00:00:00Z"
        self.calls: list[tuple[str, str]] = []
        self.tokens: set[str] = set()
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.address = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def _handler(github):
        class Handler(BaseHTTPRequestHandler):
            def answer(self) -> None:
                path, _, query = self.path.partition("?")
                body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or "{}")
                github.tokens.add(self.headers.get("Authorization", ""))
                github.calls.append((self.command, path))
                content, link = github.find(self.command, path, query, body)
                self.send_response(200 if content is not None else 404)
                if link:
                    self.send_header("Link", f'<{github.address}{path}?{link}>; rel="next"')
                self.end_headers()
                if content != {}:  # a dispatch is answered without a body
                    self.wfile.write(json.dumps({"message": "Not Found"} if content is None else content).encode())

            do_GET = do_POST = do_PATCH = answer

            def log_message(self, *_) -> None:
                """Say nothing."""

        return Handler

    def find(self, method: str, path: str, query: str, body: dict):
        """Return what GitHub answers, and the query of the next page if there is one."""
        if match := re.fullmatch(r"/repos/o/r/actions/workflows/train.yaml/(dispatches|runs)", path):
            return self._training(match[1], body), ""
        part = r"(?:issues/\d+/)?(?:issues/)?(comments|pulls|labels)(?:/([^/]+))?|(issues)(?:/(\d+))?"
        match = re.fullmatch(f"/repos/o/r/(?:{part})", path)
        if not match:
            return None, ""
        if match[3]:
            return self._issues(method, match[4], query, body)
        things, which = self.things[match[1]], unquote(match[2] or "")
        if method == "GET":
            asked = dict(pair.split("=") for pair in query.split("&"))
            found = [thing for thing in things if thing.get("head") in (None, asked.get("head", "").split("%3A")[-1])]
            start = int(asked.get("page", 0)) * self.page
            more = f"{query.split('&page')[0]}&page={start // self.page + 1}" if start + self.page < len(found) else ""
            return found[start : start + self.page], more
        if method == "POST":
            number = len(things) + 1
            things.append({"id": number, "number": number, "html_url": f"{path}/{number}", "state": "open"} | body)
            return things[-1], ""
        [thing] = [thing for thing in things if which in (str(thing["id"]), thing.get("name"))]
        thing.update(body)
        return thing, ""

    def _training(self, what: str, body: dict) -> dict:
        """Start Train (the answer has no body then), or list its runs."""
        if what == "runs":
            return {"workflow_runs": self.things["runs"][::-1]}
        self.things["runs"].append({"event": "workflow_dispatch", "created_at": self.now, "conclusion": None} | body)
        return {}

    def _issues(self, method: str, number: str | None, query: str, body: dict):
        issues = self.things["issues"]
        if method == "GET":
            pulls = [
                pull | {"pull_request": {}, "title": "A pull request", "body": None} for pull in self.things["pulls"]
            ]
            found = [one for one in [*pulls, *issues] if one["state"] == "open"]
            start = int(dict(pair.split("=") for pair in query.split("&")).get("page", 0)) * self.page
            more = f"{query.split('&page')[0]}&page={start // self.page + 1}" if start + self.page < len(found) else ""
            return found[start : start + self.page], more
        if method == "POST":
            new = len(issues) + 1
            issues.append({"number": new, "html_url": f"https://github.test/o/r/issues/{new}", "state": "open"} | body)
            return issues[-1], ""
        issues[int(number) - 1].update(body)
        return issues[int(number) - 1], ""


@dataclass
class Runner:
    """Executes the steps of a job in a clean clone, in an environment that has what a hosted runner's has and no more.

    `known` has the value of each name in `${{ one || other }}`; one that is not there is an error.
    """

    folder: Path
    known: dict[str, str]
    environment: dict[str, str]
    home: Path
    artefacts: dict[str, set[str]] = field(default_factory=dict)
    said: dict[str, str] = field(default_factory=dict)

    def run(self, workflow: str, job: str, ok: bool = True) -> None:
        """Run a job; the first step that fails ends it, as on GitHub, but for steps that run `always()`."""
        content = YAML(typ="safe").load((self.folder / ".github" / "workflows" / workflow).read_text(encoding="utf-8"))
        env = self._fill(content.get("env", {})) | self._fill(content["jobs"][job].get("env", {}))
        self.failed = ""
        self._run_steps(content["jobs"][job]["steps"], env)
        assert bool(self.failed) is not ok, self.said.get(self.failed, "did not fail")

    def _run_steps(self, steps: list[dict], env: dict[str, str]) -> None:
        for step in steps:
            condition = str(step.get("if", "true"))
            wanted = condition == "always()" or (not self.failed and self._true(condition))
            if wanted and "run" in step:
                self._shell(step["run"], env | self._fill(step.get("env", {})))
            elif wanted:
                self._use(step["uses"].split("@")[0], self._fill(step.get("with", {})), env)

    def _true(self, condition: str) -> bool:
        return condition == "true" or self.known[condition] == "true"

    def _fill(self, values: dict) -> dict[str, str]:
        return {
            name: re.sub(r"\$\{\{ (.*?) \}\}", lambda found: self._evaluate(found[1]), str(value))
            for name, value in values.items()
        }

    def _evaluate(self, expression: str) -> str:
        """Return the first of the values that is not empty, as `||` does."""
        return next(filter(None, (self.known[name] for name in expression.split(" || "))), "")

    def _shell(self, command: str, env: dict[str, str]) -> None:
        words = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", command]
        added = self.home / "github_path"  # what earlier steps put first on PATH
        home = {"HOME": str(self.home), "CI": "true", "GITHUB_ACTIONS": "true", "LANG": "C.UTF-8"}
        home |= {"GITHUB_PATH": str(added)}
        folders = added.read_text().splitlines()[::-1] if added.exists() else []
        environment = self.environment | home | env
        environment["PATH"] = os.pathsep.join([*folders, self.environment["PATH"]])
        done = subprocess.run(
            words,
            cwd=self.folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        self.said[command] = done.stdout + done.stderr
        if done.returncode:
            self.failed = command

    def _use(self, action: str, inputs: dict[str, str], env: dict[str, str]) -> None:
        if action.startswith("./"):
            content = YAML(typ="safe").load((self.folder / action / "action.yaml").read_text(encoding="utf-8"))
            self._run_steps(
                [step for step in content["runs"]["steps"] if "run" in step],
                env | {"INPUT_PYTHON": inputs.get("python", "")},
            )
        elif action == "actions/upload-artifact":
            self.artefacts[inputs["name"]] = self._collect(inputs["path"].split())
        else:
            assert action in NOT_EXECUTED, f"{action} is new: is there something to stand in for it?"

    def _collect(self, patterns: list[str]) -> set[str]:
        """Return the files that an artefact has; hidden ones are left out, as the action does."""
        found = set()
        for pattern in patterns:
            for path in self.folder.glob(pattern) if not pattern.startswith("!") else ():
                found |= {path, *path.rglob("*")}
        names = {path.relative_to(self.folder).as_posix() for path in found if path.is_file()}
        return {name for name in names if not any(part.startswith(".") for part in name.split("/"))}


def plain_environment(folder: Path, python: str = sys.executable) -> dict[str, str]:
    """Return the variables of a new machine: a PATH on which `python` is this interpreter; nobody for git to name."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("python", "python3"):
        (folder / name).unlink(missing_ok=True)
        (folder / name).symlink_to(Path(python).resolve())
    tools = [path for path in os.environ["PATH"].split(os.pathsep) if ".venv" not in path]
    kept = {name: value for name, value in os.environ.items() if name.startswith(("PIP_", "UV_", "SSL_"))}
    home = Path.home()  # what the runner's cache would bring back, and which packages this machine may have
    kept |= {"UV_CACHE_DIR": os.environ.get("UV_CACHE_DIR", str(home / ".cache" / "uv"))}
    if (config := home / ".config" / "pip" / "pip.conf").is_file():
        kept |= {"PIP_CONFIG_FILE": str(config)}
    return kept | {"PATH": os.pathsep.join([str(folder), *tools])}
