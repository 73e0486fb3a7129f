"""Commands for the upkeep of a project."""

import sys

from ..project.root import find_root
from .command import argument, command

GROUP = "Project"
CHECKS = ("files", "lint", "names", "notebooks", "wiring", "catalog", "library")


@command(
    GROUP,
    argument("checks", nargs="*", metavar="CHECK", help=f"one or more of {', '.join(CHECKS)} (all of them)"),
    argument("--staged", action="store_true", help="`files` looks only at what the next commit changes"),
)
def check(checks: list[str], staged: bool) -> int:
    """Check the project; changes nothing. Exit code 1 if something is wrong.

    files      nothing in git that must not be there: data, secrets, large files
    lint       ruff, in notebooks, tests and the modules that no notebook exports
    names      the package's name hides no installed package
    notebooks  notebooks are clean, modules are what they export
    wiring     dvc.yaml and params.yaml fit the notebooks: imports, data, parameters
    catalog    docs/data is up to date
    library    reports (as a note) where vendor/stagebook was edited
    """
    if unknown := set(checks) - set(CHECKS):
        print(f"ERROR: there is no check {min(unknown)!r}; there is {', '.join(CHECKS)}.", file=sys.stderr)
        return 2
    from ..scaffold.checks import run_checks

    return run_checks(find_root(), checks or list(CHECKS), staged)


@command(GROUP)
def fix() -> None:
    """Repair what `check` complains of: format, clear outputs, export modules, write docs/data."""
    from ..scaffold.checks import repair

    repair(find_root())


@command(GROUP)
def setup() -> None:
    """Prepare git (repository, hooks, merge driver) and move state of release 0.2.0 (`make setup` calls it)."""
    from ..scaffold.checks import check_names
    from ..scaffold.environment import prepare_git
    from ..scaffold.migrate.state import move_state

    for line in move_state(find_root()):
        print(f"Moved {line}")
    prepare_git(find_root())
    check_names(find_root())


@command(
    GROUP,
    argument("name", help="as in dvc.yaml; also the name of its module"),
    argument("--after", default="", help="the step before it; the last one before `train` if not given"),
)
def step(name: str, after: str) -> None:
    """Add a step that runs at once: notebook, stage, parameters and a test."""
    from ..scaffold.new_step.write import add_step

    print(add_step(find_root(), name, after))


@command(GROUP)
def site() -> None:
    """Make the documentation site build/site/index.html (`make docs` installs what it needs)."""
    from ..pages.site.build import build_site

    print(build_site(find_root()))


@command(GROUP, argument("--to", default="", help="tag, branch or commit of the template (default: the newest state)"))
def update(to: str) -> int:
    """Merge the template's newer version into the working copy."""
    from ..scaffold.update import update_project

    return update_project(find_root(), to)


@command(GROUP, argument("--to", default="", help="tag, branch or commit of the template (default: the newest state)"))
def migrate(to: str) -> int:
    """Bring a project of release 0.2.0, whose machinery is in code/, to this library.

    Merges the template's newer version with the names of today in your notebooks and modules. Nothing is committed.
    `make setup` then moves mlflow.db and other state of this machine into .local/. The page `updating` shows it.
    """
    from ..scaffold.update import merge_template

    return merge_template(find_root(), to)


@command(GROUP)
def constraints() -> None:
    """Resolve the pinned versions in environments/ again."""
    from ..scaffold.environment import resolve_constraints

    resolve_constraints(find_root())
