"""Commands around serving: the service and the true values of its predictions."""

from ..project.root import find_root
from .command import argument, command

GROUP = "Serving"


@command(GROUP, argument("file", help="CSV, Parquet, Excel or JSON with request_id or key columns, and the true value"))
def outcomes(file: str) -> None:
    """Add true values to the prediction log."""
    from ..model.task import read_task
    from ..serve.outcomes import read_outcomes, record_outcomes
    from ..serve.store import connect_log

    root = find_root()
    url, task = connect_log(root), read_task(root / "data" / "interim" / "task.json")
    found = read_outcomes(file, url, task.target)
    print(record_outcomes(url, found, classes=task.classes, source=file, column=task.target))
