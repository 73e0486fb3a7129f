"""Commands that CI runs; a person can run them too."""

import os
from pathlib import Path

from ..project.errors import StepError
from ..project.root import find_root
from .command import argument, command
from .telling import tell_verdict

GROUP = "Continuous integration and training"


def _forge():
    """Return GitHub or GitLab, by the variables that their runners set."""
    if os.environ.get("GITLAB_CI"):
        from ..automate.gitlab import GitLab as Forge
    else:
        from ..automate.github import GitHub as Forge
    return Forge()


@command(GROUP)
def sample() -> None:
    """Run the whole pipeline on a sample of the data, in build/sample."""
    from ..automate.sample import run_sample

    run_sample(find_root())


@command(GROUP, argument("base", nargs="?", default="origin/main", help="the branch to compare with (origin/main)"))
def report(base: str) -> None:
    """Write reports/pull_request.md and reports/compare.html: verdict, metrics and parameters against a branch."""
    from ..automate.report import write_report
    from ..pages.compare.write import compare

    root = find_root()
    print(write_report(root, base).relative_to(root))
    try:
        print(compare(root, base, "workspace"))
    except StepError as error:  # a fork cannot read the base's files
        print(f"No page side by side: {error}")
    if file := os.environ.get("GITHUB_STEP_SUMMARY"):
        with Path(file).open("a", encoding="utf-8") as page:
            page.write(_read_report(root))


def _read_report(root: Path) -> str:
    from ..automate.report import REPORT

    try:
        return (root / REPORT).read_text(encoding="utf-8")
    except OSError as error:
        raise StepError(f"{REPORT} is missing. `stagebook report` writes it.") from error


@command(
    GROUP,
    argument("number", help="of the pull request"),
    argument("--link", default="", help="where the pages of the run are"),
)
def comment(number: str, link: str) -> None:
    """Put the report on a pull request, in place of the last one."""
    from ..automate.report import MARKER

    where = f"\n[The pages of this run]({link}), as an archive.\n" if link else ""
    print(_forge().comment(number, _read_report(find_root()) + where, MARKER))


@command(GROUP, argument("--parameters", default="", help="written to params.yaml first, as in 'train.trials=20'"))
def retrain(parameters: str) -> None:
    """Fetch the data again, run what changed, let the gate decide, and keep the champion."""
    from ..automate.retrain import retrain
    from .data import catalog
    from .models import champion
    from .pipeline import summary

    retrain(find_root(), parameters)
    champion(if_any=True)
    catalog(if_stale=False)
    summary()
    tell_verdict(find_root(), "Training finished")


@command(GROUP, argument("base", nargs="?", default="main", help="the branch to merge into (main)"))
def propose(base: str) -> None:
    """Commit what a retraining changed to the branch `retrain`, push it, and open or update its pull request."""
    from ..automate.proposal import BRANCH, Proposal, commit_changes, push

    root = find_root()
    report = _read_report(root)
    title = next(line for line in report.splitlines() if line.startswith("## ")).removeprefix("## ")
    forge = _forge()
    if not commit_changes(root, f"Retrained: {title}", forge.author):
        print("Nothing changed: no new data, no other parameters, same model.")
        return
    push(root, forge.server, forge.address, forge.user, forge.token)
    print(forge.propose(Proposal(BRANCH, base, f"Retrained: {title}", report)))


@command(GROUP)
def pull() -> None:
    """Fetch data, models and reports from DVC's remote; the pipeline makes what is not there."""
    import subprocess

    from ..automate.retrain import find_remote

    if subprocess.run(["dvc", "pull", "--quiet"], cwd=find_root(), stderr=subprocess.DEVNULL, check=False).returncode:
        url, why = find_remote(find_root()), "Not all is in the remote, or it cannot be reached"
        if "://" not in url and not Path(url).is_dir():
            why = f".dvc/config: the remote is the folder {url!r}, which is not there"
        print(f"{why}: the pipeline makes what is missing.")


@command(GROUP)
def push() -> int:
    """Send data, models and reports to DVC's remote; fails if nobody else could reach it."""
    import subprocess

    from ..automate.retrain import check_remote

    check_remote(find_root())
    return subprocess.run(["dvc", "push"], cwd=find_root(), check=False).returncode


@command(GROUP)
def labels() -> None:
    """Create the issue labels of docs/labels.yaml on GitHub or GitLab."""
    from ruamel.yaml import YAML

    file, forge = find_root() / "docs" / "labels.yaml", _forge()
    if not file.is_file():
        raise StepError("docs/labels.yaml is missing. The option `governance = full` of the template has one.")
    found = YAML(typ="safe").load(file.read_text(encoding="utf-8"))
    for name, (color, description) in found.items():
        forge.set_label({"name": name, "color": color, "description": description})
    print(f"{len(found)} labels are there.")
