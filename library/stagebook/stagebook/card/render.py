"""Fill a Jinja template with facts. Each fact is printed as escaped text, never as Markdown or HTML."""

from pathlib import Path

from jinja2 import ChainableUndefined, TemplateError, Undefined
from jinja2.sandbox import SandboxedEnvironment

from ..project.errors import DataError
from ..project.markdown import code, prose, show_number

__all__ = ["OWN", "Markdown", "find_template", "render", "show", "verdict"]

OWN = "docs/templates"  # of a project: a template here takes the place of the library's
GAP = "**not filled in**"
PLACES = ("evaluation/calibration", "inspection/segment", "inspection/fairness", "evaluation", "inspection")


class Markdown(str):
    """Text that is Markdown on purpose; everything else is escaped when a template prints it."""


def render(template: Path, facts: dict) -> str:
    """Return the filled template.

    Raises
    ------
    DataError
        The template has an error; the message names file and line.
    """
    try:
        text = template.read_text(encoding="utf-8")
        return _environment().from_string(text).render(facts).rstrip("\n") + "\n"
    except TemplateError as error:
        line = getattr(error, "lineno", None) or _find_line(error)
        raise DataError(f"{template}{f', line {line}' if line else ''}: {error.message}") from error
    except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError) as error:
        raise DataError(f"{template}, line {_find_line(error)}: {type(error).__name__}: {error}") from error


def find_template(root: Path, name: str) -> Path:
    """Return the project's own template of this name, or the library's."""
    own = root / OWN / f"{name}.md.j2"
    return own if own.is_file() else Path(__file__).with_name(f"{name}.md.j2")


def _find_line(error: BaseException) -> int | None:
    """Return the line of the template in which an error was raised."""
    place, line = error.__traceback__, None
    while place:
        line = place.tb_lineno if place.tb_frame.f_code.co_filename == "<template>" else line
        place = place.tb_next
    return line


def _environment() -> SandboxedEnvironment:
    # A report that is not there yet is empty, and so is everything in it.
    environment = SandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, finalize=show, undefined=ChainableUndefined
    )
    environment.filters |= {
        "code": lambda text: Markdown(code(str(text))) if text else "",
        "gap": lambda text: Markdown(prose(text)) if text else Markdown(GAP),
        "interval": lambda ends: Markdown(f"{metric(ends[0])} to {metric(ends[1])}") if ends else "",
        "metric": metric,
        "percent": lambda share: f"{share:.1%}",
        "period": lambda split: f"{split['from']} to {split['to']}" if "from" in split else "",
        "plots": plots,
        "verdict": verdict,
        "words": lambda name: str(name or "").replace("_", " "),
    }
    return environment


def show(value: object) -> Markdown:
    """Return a value as safe Markdown: numbers as people write them, lists with commas, the rest as escaped text."""
    if isinstance(value, Markdown):
        return value
    if value is None or isinstance(value, Undefined):
        return Markdown("")
    if isinstance(value, bool):
        return Markdown("yes" if value else "no")
    if isinstance(value, int):
        return Markdown(f"{value:,}")
    if isinstance(value, list | tuple):
        return Markdown(", ".join(map(show, value)))
    return Markdown(show_number(value) if isinstance(value, float) else prose(value))


def metric(value: object) -> Markdown:
    """Return a metric with four decimals, so that a column can be compared; large ones as they are."""
    return Markdown(f"{value:.4f}") if isinstance(value, float) and abs(value) < 10 else show(value)


def verdict(point: dict) -> str:
    """Return the verdict on a point of the gate in one or two words."""
    if not point["passed"]:
        return "refused"
    return "not asked" if point["message"].startswith("not asked") else "passed"


def plots(links: dict[str, str], place: str) -> Markdown:
    """Return the plots that belong to a section: each goes to the first of `PLACES` that its path begins with."""
    lines = []
    for path, target in links.items():
        name = path.removeprefix("reports/").removesuffix(".png")
        if place == next((one for one in PLACES if name.startswith(one)), name.partition("/")[0]):
            lines.append(f"![{prose(name.rpartition('/')[2])}](<{target}>)")
    return Markdown("\n".join(lines))
