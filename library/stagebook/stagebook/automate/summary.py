"""What the last execution of the pipeline came to, in a few lines."""

import json
import textwrap
from pathlib import Path

__all__ = ["summarise"]

PEOPLE = ("card.missing", "risk.duties")  # gates on what people write down, not on what the model can do


def summarise(root: Path) -> str:
    """Return the hold-out metrics, what has moved, the decision of the gate, and where to look next."""
    metrics = _read(root / "reports" / "metrics.json")
    decision = _read(root / "reports" / "registration.json")
    lines = [
        f"Hold-out: {_describe(metrics['holdout'], _read(root / 'data' / 'interim' / 'task.json'))}",
        *_tabulate({model: metrics[model] for model in ("trivial", "baseline", "candidate")}),
    ]
    lines += _value(metrics.get("value", {}))
    if findings := _read(root / "reports" / "validation.json")["findings"]:
        lines.append(f"Value skew: {len(findings)} moves since data/baseline.json; first, {findings[0]['message']}")
    lines += [
        *_verdict(decision, root),
        "Look at:",
        "  reports/card/model_card.html",
        *(f"  {page.relative_to(root)}" for page in sorted((root / "reports").glob("[0-9]*.html"))),
        "  `make ui` for the runs in MLflow, `make lab` for the notebooks",
    ]
    return "\n".join(lines)


def _tabulate(models: dict[str, dict[str, float]]) -> list[str]:
    """Return a line of metrics for each model below the metrics' names; columns are as wide as their longest number."""
    names = list(models["baseline"])
    rows = [["", *names], *([model, *(_number(found[name]) for name in names)] for model, found in models.items())]
    widths = [max(9, *map(len, column)) for column in list(zip(*rows, strict=True))[1:]]
    return [
        f"  {first:10}" + "".join(f"   {cell:>{width}}" for cell, width in zip(cells, widths, strict=True))
        for first, *cells in rows
    ]


def _value(value: dict) -> list[str]:
    """Return the cost of acting on each model, if the costs of errors are given."""
    if not value or value["currency"] == "errors":
        return []
    costs = ", ".join(f"{name} {cost:,.2f}" for name, cost in value["cost"].items())
    return [f"What decisions cost, in {value['currency']} per {value['per']}: {costs}"]


def _verdict(decision: dict, root: Path) -> list[str]:
    """Say what became of the candidate, and apart why: thresholds that it missed, and what people have not filled in."""
    version = f"{decision['model']} version {decision['version']} is {decision['alias']}"
    points = [point for point in decision["points"] if point["metric"] not in PEOPLE]
    if base := decision.get("base"):
        verdict = "refuses" if decision["refused"] else "lets through"
        lines = [
            f"Not registered, for this run is for a pull request. The gate of {base} {verdict} {decision['model']}"
        ]
        return [*lines, f"{_count(points)}:", *_describe_points(points)]
    if not decision["refused"]:
        waits = "" if decision["alias"] == "champion" else "; the gate let it through, `make promote` makes it champion"
        return [f"Registered: {version}{waits}", f"{_count(points)}; `stagebook gate` shows each"]
    lines = [f"Registered: {version}. The gate refused it (vendor/stagebook/docs/quality_gates.md)"]
    return [*lines, f"{_count(points)}:", *_describe_points(points), *_left(decision, root)]


def _outcome(point: dict) -> str:
    if not point["passed"]:
        return "failed"
    return "not asked" if point["message"].startswith("not asked") else "passed"


def _count(points: list[dict]) -> str:
    outcomes = [_outcome(point) for point in points]
    return "Quality thresholds: " + ", ".join(
        f"{outcomes.count(one)} {one}" for one in ("passed", "failed", "not asked")
    )


def _describe_points(points: list[dict]) -> list[str]:
    """Return a line for each threshold, failed ones first; of those not asked only the names."""
    lines = [f"{one}: {point['message']}" for one in ("failed", "passed") for point in points if _outcome(point) == one]
    unasked = [point["gate"] for point in points if _outcome(point) == "not asked"]
    return _bullets([*lines, *([f"not asked: {', '.join(unasked)}"] if unasked else [])])


def _left(decision: dict, root: Path) -> list[str]:
    """Return what only people can fill in, and what the pipeline should have written and has not."""
    people, parts = _missing(root)
    lines = ["Only people can fill in, and the gate stays closed until they do:", *_bullets(people)] if people else []
    lines += ["Missing from the run:", *_bullets(parts)] if parts else []
    refused = any(point["metric"] in PEOPLE and not point["passed"] for point in decision["points"])
    return lines or ["All texts are filled in now: `make pipeline` checks the candidate again"] * refused


def _missing(root: Path) -> tuple[list[str], list[str]]:
    """Return what is missing from people and what from the run."""
    from ..card.facts import collect_facts  # pandas: not for a summary of a champion
    from ..card.missing import left_to_people, missing_parts

    facts = collect_facts(root)
    people = left_to_people(facts["requirements"], facts["tables"])
    return people, [part for part in missing_parts(facts["requirements"], facts) if part not in people]


def _bullets(sentences: list[str]) -> list[str]:
    return [
        part
        for sentence in sentences
        for part in textwrap.wrap(sentence, 116, initial_indent="  - ", subsequent_indent="    ")
    ]


def _describe(holdout: dict, task: dict) -> str:
    """Say how many rows there are, and how the target is distributed in them; of many classes, the five largest."""
    rows = f"{holdout['rows']:,} rows; "
    if "share" not in holdout:
        return (
            rows
            + f"{task['target']} {_number(holdout['mean'])} on average, standard deviation {_number(holdout['sd'])}"
        )
    shares = dict(zip(task["classes"], holdout["share"].values(), strict=True))
    if len(shares) == 2:
        shares.pop(task["classes"][0])
    most = sorted(shares, key=shares.get, reverse=True)[:5]
    return rows + ", ".join(f"{name} {shares[name]:.1%}" for name in most) + (", ..." if len(shares) > 5 else "")


def _number(value: float) -> str:
    """Return four decimals if they are significant, else four digits."""
    return f"{value:,.4f}" if value == 0 or 0.0001 <= abs(value) < 1e6 else f"{value:.3e}"


def _read(file: Path) -> dict:
    return json.loads(file.read_text(encoding="utf-8"))
