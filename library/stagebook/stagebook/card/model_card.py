"""The model card: what the model is for, what it is, how good it is, and what the gate says."""

from ..gate.duties import find_open_duties
from ..gate.requirements import FILE
from ..project.markdown import code, prose, table
from .evidence import calibration, figures, value
from .inspected import behaviour, fairness, importance, over_time, segments
from .judgement import banner, gate_points, thirteen
from .parts import bullets, facts_table, plain, section, show, show_figure, text_or_gap

__all__ = ["model_card"]


def model_card(facts: dict, links: dict[str, str]) -> str:
    """Return the card as Markdown.

    Parameters
    ----------
    facts : dict
        As `collect_facts` returns them, with `registration`.
    links : dict
        How the card reaches each picture, by its path below the root.
    """
    lines = [f"# Model card: {prose(facts['project']['name'])}", "", prose(facts["project"]["description"]), ""]
    lines += [*banner(facts), "", *facts_table(_head(facts)), "", *_use(facts), *_risk(facts), *_model(facts)]
    lines += [*_data(facts), *figures(facts, links), *value(facts), *calibration(facts, links), *segments(facts, links)]
    lines += [*fairness(facts, links), *behaviour(facts), *importance(facts, links), *over_time(facts, links)]
    return "\n".join([*lines, *gate_points(facts), *thirteen(facts)])


def _head(facts: dict) -> dict[str, str]:
    model, task, holdout = facts["model"], facts["task"], facts["splits"].get("holdout")
    classes = f": {', '.join(map(prose, task['classes']))}" if task.get("classes") else ""
    judged = f"{holdout['rows']:,} rows{_period(holdout, ' of ')}, md5 {code(holdout['md5'])}" if holdout else ""
    return {
        "predicts": f"{prose(task['target'])} ({task['task']}{classes})" if task else "",
        "kind of model": plain(facts["training"].get("chosen", "")),
        "package": f"{model['format']}, {show(model['megabytes'])} MB, md5 {code(model['md5'])}" if model else "",
        FILE: f"md5 {code(facts['requirements_md5'])}",
        "judged on": judged,
    }


def _use(facts: dict) -> list[str]:
    use = facts["requirements"].use
    names = {"purpose": "purpose", "users": "users", "not_for": "not for", "limits": "limits"}
    return section("Intended use", facts_table({name: text_or_gap(getattr(use, key)) for key, name in names.items()}))


def _risk(facts: dict) -> list[str]:
    requirements, risk = facts["requirements"], facts["requirements"].risk
    if risk is None:
        return []
    said = {
        "category": text_or_gap(risk.category),
        "reason": text_or_gap(risk.reason),
        "transparency": prose(risk.transparency),
        "human oversight": prose(risk.human_oversight),
        "predictions are logged": show(risk.logging),
    }
    duties = find_open_duties(requirements)
    left = [*bullets(f"**open**: {prose(duty)}" for duty in duties)] or ["All that this category requires is there."]
    return section("Risk (EU AI Act)", facts_table(said), left)


def _model(facts: dict) -> list[str]:
    training = facts["training"]
    tried = training.get("tried") or {}
    if not tried:
        return []
    head = ["model", "settings", "loss in training", "loss in validation", "format"]
    rows = []
    for name, entry in tried.items():
        settings = ", ".join(f"{prose(key)} {show(value)}" for key, value in (entry.get("settings") or {}).items())
        loss = entry.get("loss") or {}
        mark = f"**{plain(name)}**, chosen" if name == training.get("chosen") else plain(name)
        rows.append(
            [
                mark,
                settings,
                show_figure(loss.get("train")),
                show_figure(loss.get("validation")),
                show(entry.get("format")),
            ]
        )
    return section("Model", table(head, rows))


def _data(facts: dict) -> list[str]:
    splits = facts["splits"].items()
    rows = [[name, show(split["rows"]), _period(split), code(split["md5"])] for name, split in splits]
    more = ["Where the data comes from, what was dropped and what is personal: the [data sheet](data_sheet.md)."]
    return section("Data", table(["split", "rows", "period", "md5"], rows, right="rows"), more)


def _period(split: dict, before: str = "") -> str:
    return f"{before}{split['from']} to {split['to']}" if "from" in split else ""
