"""The data sheet: where the data comes from, what was done to it, what is in it, and who may have it."""

from ..data.schema import Table
from ..project.markdown import code, prose, table
from .parts import facts_table, section, show, text_or_gap

__all__ = ["data_sheet"]


def data_sheet(facts: dict) -> str:
    """Return the sheet as Markdown; `facts` as `collect_facts` returns them."""
    lines = [f"# Data sheet: {prose(facts['project']['name'])}", "", prose(facts["project"]["description"]), ""]
    lines += [*section("Motivation", [text_or_gap(facts["requirements"].use.purpose)])]
    lines += [*_composition(facts), *_collection(facts), *_preprocessing(facts), *_labels(facts), *_splits(facts)]
    lines += [
        *_personal(facts),
        *_distribution(facts),
        "",
        "The model that learns from it: [model card](model_card.md).",
    ]
    return "\n".join([*lines, ""])


def _composition(facts: dict) -> list[str]:
    rows = [
        [
            prose(one.name),
            text_or_gap(one.description),
            show(_rows(facts, one.name)),
            show(len(one.columns)),
            text_or_gap(one.owner),
        ]
        for one in facts["tables"].values()
    ]
    where = ["Each column, with unit and meaning, is in the catalog: `stagebook catalog` writes docs/data."]
    return (
        section("Composition", table(["table", "what", "rows", "columns", "owner"], rows, right="rows columns"), where)
        if rows
        else []
    )


def _rows(facts: dict, name: str) -> int | None:
    source = facts["source"]
    return (source.get("tables") or {}).get(name, source).get("rows")


def _collection(facts: dict) -> list[str]:
    said, source = facts["requirements"].data, facts["source"]
    common = {key: show(value) for key, value in source.items() if not isinstance(value, dict | list) and value != ""}
    rows = [
        [
            prose(name),
            show(entry.get("file", "")),
            show(entry.get("bytes")),
            code(str(entry["sha256"])) if "sha256" in entry else "",
        ]
        for name, entry in (source.get("tables") or {}).items()
    ]
    files = table(["table", "file", "bytes", "sha256"], rows, right="bytes") if rows else []
    return section("Collection", [f"How: {text_or_gap(said.collected)}"], facts_table(common), files)


def _preprocessing(facts: dict) -> list[str]:
    cleaning = facts["cleaning"]
    counts = {"rows read": show(cleaning.get("read"))}
    for key in ("dropped", "dropped_rows"):
        counts |= {f"dropped, {name}": show(count) for name, count in (cleaning.get(key) or {}).items()}
    for name, said in (cleaning.get("dropped_columns") or {}).items():
        counts[f"columns dropped, {name}"] = prose(", ".join(map(str, said)) if isinstance(said, list) else said)
    return section("Preprocessing", facts_table(counts))


def _labels(facts: dict) -> list[str]:
    labels = facts["cleaning"].get("labels") or {}
    said = {"come from": prose(labels.get("source", "")), "rows with a label": show(labels.get("rows"))}
    for name, entry in (labels.get("missing") or {}).items():
        said[f"without one, {name}"] = f"{show(entry.get('rows'))} ({entry.get('share', 0):.1%} of all rows)"
    for name, entry in (labels.get("checks") or {}).items():
        said[f"check {name}"] = (
            f"{prose(entry.get('means', ''))}: {show(entry.get('doubtful'))} of {show(entry.get('compared'))}"
        )
    return section("Labels", facts_table(said))


def _splits(facts: dict) -> list[str]:
    shares = (facts["cleaning"].get("labels") or {}).get("by_split") or {}
    rows = []
    for name, split in facts["splits"].items():
        period = " to ".join(filter(None, (split.get("from"), split.get("to"))))
        share = ", ".join(f"{prose(key)} {_share(facts, number)}" for key, number in (shares.get(name) or {}).items())
        rows.append([name, show(split["rows"]), period, share, code(split["md5"])])
    return section("Splits", table(["split", "rows", "period", "label", "md5"], rows, right="rows") if rows else [])


def _share(facts: dict, number: float) -> str:
    return show(number) if facts["task"].get("task") == "regression" else f"{number:.1%}"


def _personal(facts: dict) -> list[str]:
    rows = [
        [prose(one.name), prose(column.name), prose(column.mask), prose(column.why or column.description)]
        for one in facts["tables"].values()
        for column in one.columns.values()
        if column.pii
    ]
    if not rows:
        return section("Personal data", ["No column is marked as personal data in data/schema.yaml."])
    return section("Personal data", table(["table", "column", "masked by", "why"], rows))


def _distribution(facts: dict) -> list[str]:
    said = facts["requirements"].data
    kept = {f"kept, {one.name}": _kept(one) for one in facts["tables"].values()}
    shared = {"licence": text_or_gap(said.licence), "shared with": text_or_gap(said.shared_with)}
    return section("Distribution and retention", facts_table(shared | kept))


def _kept(one: Table) -> str:
    return f"{one.retention_days:,} days, counted from the newest row" if one.retention_days else "without limit"
