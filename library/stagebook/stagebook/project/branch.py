"""The branch that a run in CI goes into, as GitHub and GitLab tell it."""

import os

__all__ = ["VARIABLES", "find_target"]

# Beginnings of the names of the variables that say what a run in CI is for.
VARIABLES = ("GITHUB_BASE_REF", "GITHUB_REF", "STAGEBOOK_MAIN", "CI_MERGE_REQUEST_", "CI_COMMIT_BRANCH")


def find_target() -> str | None:
    """Return the branch that the pull or merge request of this run goes into; None if the run is for none."""
    return os.environ.get("GITHUB_BASE_REF") or os.environ.get("CI_MERGE_REQUEST_TARGET_BRANCH_NAME") or None
