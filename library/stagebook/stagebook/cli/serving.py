"""Commands around serving: the service, predictions made in advance, and the true values of predictions."""

from ..project.root import find_root
from .command import argument, command

GROUP = "Serving"


@command(
    GROUP,
    argument("--port", type=int, default=8000),
    argument("--host", default="127.0.0.1", help="another address needs a certificate, and a key in SERVE_API_KEY"),
    argument(
        "--model", default="", help="folder of a model, such as models/candidate; the registry's champion if not given"
    ),
    argument("--certificate", default="", help="PEM file for TLS"),
    argument("--key", default="", help="PEM file of its private key"),
    argument("--behind-proxy", action="store_true", help="a proxy has TLS: another address needs only the key"),
    argument("--share-port", action="store_true", help="beside another that shares it; `stagebook deploy` needs it"),
    argument("--no-log", action="store_true", help="keep no log of the predictions"),
)
def serve(
    port: int, host: str, model: str, certificate: str, key: str, behind_proxy: bool, share_port: bool, no_log: bool
) -> int:
    """Serve the champion over HTTP: a page, an API, a log of each prediction."""
    from ..project.root import project_name
    from ..serve.run import serve as run
    from ..step.parameters import step_parameters

    root = find_root()
    name = step_parameters(root / "params.yaml", "register").get("model_name") or project_name(root)
    return run(root, name, host, port, model, certificate, key, not no_log, behind_proxy, share_port)


@command(GROUP, argument("file", help="CSV, Parquet, Excel or JSON with request_id or key columns, and the true value"))
def outcomes(file: str) -> None:
    """Add true values to the prediction log."""
    from ..model.task import read_task
    from ..predictions.outcome_files import read_outcomes
    from ..predictions.outcomes import record_outcomes
    from ..predictions.store import connect_log

    root = find_root()
    url, task = connect_log(root), read_task(root / "data" / "interim" / "task.json")
    found, skipped = read_outcomes(file, url, task.target)
    summary = record_outcomes(url, found, classes=task.classes, source=file, column=task.target)
    summary.skipped = skipped
    print(summary)


@command(GROUP, argument("key", nargs="+", help="its value, or name=value for each column if the key has several"))
def lookup(key: list[str]) -> int:
    """Show the prediction that pipelines/scoring made for a key in advance."""
    import json

    from ..request.contract import FILE, read_contract
    from ..serve.batch.table import connect_table, find_prediction, open_table

    root = find_root()
    contract = read_contract(root / "data" / "processed" / FILE)
    found = find_prediction(open_table(connect_table(root)), key, contract)
    if found is None:
        print(f"There is no precomputed prediction of {' '.join(key)!r}. pipelines/scoring/80_score.ipynb makes them.")
        return 1
    print(json.dumps(found, indent=2, ensure_ascii=False))
    return 0
