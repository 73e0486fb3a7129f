"""The commands that CI runs. `python -m <package>.automation --help` lists them."""

import argparse
import os
import sys
from pathlib import Path

from ..pipeline.project import StepError, exit_code, find_root


def main() -> int:
    """Run the command line; return the exit code."""
    parser = argparse.ArgumentParser(prog="automation", description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("sample", help="run the pipeline on a sample, in build/sample")
    report = commands.add_parser("report", help="write reports/pull_request.md and reports/compare.html")
    report.add_argument("base", help="the branch to compare with")
    comment = commands.add_parser("comment", help="put the report on a pull request, in place of the last one")
    comment.add_argument("number")
    comment.add_argument("--link", default="", help="where the pages are")
    retrain = commands.add_parser("retrain", help="fetch the data anew, run what changed, keep the champion")
    retrain.add_argument("--parameters", default="", help="as in train.trials=20, written to params.yaml")
    commands.add_parser("check-remote", help="would others get what is pushed to DVC's remote?")
    propose = commands.add_parser("propose", help="commit what changed to a branch, push it, open a pull request")
    propose.add_argument("base", help="the branch to merge into")
    commands.add_parser("labels", help="make the labels of issues")
    arguments = parser.parse_args()
    verbs = {
        "sample": _sample,
        "report": lambda root: _report(root, arguments.base),
        "comment": lambda root: _comment(root, arguments.number, arguments.link),
        "retrain": lambda root: _retrain(root, arguments.parameters),
        "check-remote": _check_remote,
        "propose": lambda root: _propose(root, arguments.base),
        "labels": _labels,
    }
    return exit_code(lambda: verbs[arguments.command](find_root()))


def _forge():
    """Return GitHub or GitLab, whichever this runs for."""
    name = "gitlab" if os.environ.get("GITLAB_CI") else "github"
    try:
        if name == "gitlab":
            from .gitlab import GitLab as Forge
        else:
            from .github import GitHub as Forge
    except ModuleNotFoundError as error:
        raise StepError(f"this project has no {name}.py in automation/: it was made for another CI.") from error
    return Forge()


def _sample(root: Path) -> None:
    from .sample import run_sample

    run_sample(root)


def _report(root: Path, base: str) -> None:
    from ..pipeline.compare.write import compare
    from .report import write_report

    print(write_report(root, base).relative_to(root))
    try:
        print(compare(root, base, "workspace"))
    except StepError as error:  # a fork cannot read the base's files
        print(f"No page side by side: {error}")
    if file := os.environ.get("GITHUB_STEP_SUMMARY"):
        with Path(file).open("a", encoding="utf-8") as page:
            page.write(_read_report(root))


def _comment(root: Path, number: str, link: str) -> None:
    from .report import MARKER

    where = f"\n[The pages of this run]({link}), as an archive.\n" if link else ""
    print(_forge().comment(number, _read_report(root) + where, MARKER))


def _read_report(root: Path) -> str:
    from .report import REPORT

    try:
        return (root / REPORT).read_text(encoding="utf-8")
    except OSError as error:
        raise StepError(f"{REPORT} is missing. `make report` writes it.") from error


def _retrain(root: Path, parameters: str) -> None:
    from .retrain import retrain

    retrain(root, parameters)


def _check_remote(root: Path) -> None:
    from .retrain import check_remote

    check_remote(root)


def _propose(root: Path, base: str) -> None:
    from .proposal import BRANCH, Proposal, commit_changes, push

    report = _read_report(root)
    title = next(line for line in report.splitlines() if line.startswith("## ")).removeprefix("## ")
    forge = _forge()
    if not commit_changes(root, f"Retrained: {title}", forge.author):
        print("Nothing changed: no new data, no other parameters, same model.")
        return
    push(root, forge.server, forge.address, forge.user, forge.token)
    print(forge.propose(Proposal(BRANCH, base, f"Retrained: {title}", report)))


def _labels(root: Path) -> None:
    from ruamel.yaml import YAML

    forge = _forge()
    labels = YAML(typ="safe").load((root / "docs" / "labels.yaml").read_text(encoding="utf-8"))
    for name, (color, description) in labels.items():
        forge.set_label({"name": name, "color": color, "description": description})
    print(f"{len(labels)} labels are there.")


if __name__ == "__main__":
    sys.exit(main())
