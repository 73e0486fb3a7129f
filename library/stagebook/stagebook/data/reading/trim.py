"""Tell data from what is none: empty rows and columns, totals, notes, units, a header that is repeated or missing."""

import re
from collections.abc import Sequence

import pandas as pd

from ..parsing.numbers import PLACEHOLDERS
from ..parsing.texts import matches
from ..pii import find_pii

__all__ = [
    "COMMENT",
    "are_units",
    "describe_row",
    "explain_reading",
    "is_footer",
    "looks_like_data",
    "show_cells",
    "trim_table",
]

AMOUNT = re.compile(r"(?=\D*\d)[\d\s.,:/%+'€$£()-]+(e[+-]?\d+)?", re.IGNORECASE)  # numbers and dates
COMMENT = ("#", "//", "%", ";;", "--")
RULE = re.compile(r"[-=+:|\s]+")
TOTAL = re.compile(
    r"(grand |sub-?)?(totals?|sums?)|average|mean|summen?|gesamt(summe)?|zwischensumme|insgesamt|durchschnitt|mittelwert"
    r"|somme|total g[ée]n[ée]ral|moyenne|suma|totale|media|soma|totaal|razem|итого|всего|合计|総計|合計",
    re.IGNORECASE,
)
NOTE = re.compile(
    r"(sources?|notes?|quellen?|stand|hinweis|anmerkung|fuente|remarks?|\(c\)|©|\(?\d+ rows)\b.*|[*†©#].*"
)
DEEPEST = 30  # rows of a footer


def trim_table(frame: pd.DataFrame, names: Sequence[str]) -> tuple[pd.DataFrame, list[str], list[dict]]:
    """Return the table without what is no data, its names in the file, and what was left out.

    Parameters
    ----------
    frame : DataFrame of shape (n_rows, n_columns)
        As in the file; empty cells are missing.
    names : sequence of str
        The names in the file; "" where there is none.
    """
    frame, skipped = cut_second_table(frame, names)
    empty = frame.isna().all(axis=1)
    if empty.any():
        skipped.append({"what": "empty", "rows": int(empty.sum()), "where": "in or below the table", "text": ""})
        frame = frame[~empty]
    footer = find_footer(frame)
    if footer:
        skipped += [describe_row("total or note", "below the table", row) for row in frame.iloc[-footer:].to_numpy()]
        frame = frame.iloc[:-footer]
    inner = find_inner_totals(frame)
    if inner.any():
        skipped += [describe_row("total or note", "in the table", row) for row in frame[inner].to_numpy()]
        frame = frame[~inner]
    again = find_headers(frame, names)
    if again.any():
        skipped.append({"what": "header again", "rows": int(again.sum()), "where": "in the table", "text": ""})
        frame = frame[~again]
    used = [at for at, name in enumerate(names) if name or frame.iloc[:, at].notna().any()]
    if len(used) < len(names):
        columns = [str(at + 1) for at in range(len(names)) if at not in used]
        text = f"column {', '.join(columns)}"
        skipped.append({"what": "empty column", "rows": 0, "where": "without a name", "text": text})
    return frame.iloc[:, used].reset_index(drop=True), [names[at] for at in used], skipped


def cut_second_table(frame: pd.DataFrame, names: Sequence[str]) -> tuple[pd.DataFrame, list[dict]]:
    """Return the rows above another table: above an empty row with words below it where the numbers of this one are."""
    empty = frame.isna().all(axis=1).to_numpy()
    for at in (empty[:-1] & ~empty[1:]).nonzero()[0][:DEEPEST]:
        above = as_texts(frame.iloc[max(0, at - 100) : at + 1].dropna(how="all"))
        above = [row for row in above if not is_footer([cell for cell in row if cell], len(names))]
        row, *below = as_texts(frame.iloc[at + 1 : at + 3])
        there = [cell for cell in row if cell]
        words = len(there) > 1 and not any(map(is_number, there)) and not is_footer(there, len(row))
        begins = words and row != list(names) and any(is_number(cell) for other in below for cell in other)
        if begins and len(above) > 2 and any(row[place] for place in find_amounts(row, above)):
            left = len(frame) - int(at) - 1
            cut = {"what": "second table", "rows": left, "where": "below the table", "text": show_cells(row)}
            return frame.iloc[: at + 1], [cut]
    return frame, []


def find_inner_totals(frame: pd.DataFrame) -> pd.Series:
    """Return which rows have `Subtotal` in a column of numbers, one of the first three."""
    found = pd.Series(False, index=frame.index)
    for at in range(min(3, frame.shape[1])):
        values = frame.iloc[:, at].dropna()
        first = [str(value) for value in values.head(100)]
        if len(values) > 2 and is_amount([text for text in first if not TOTAL.fullmatch(text.rstrip(":"))]):
            texts = values[values.map(type).eq(str)] if values.dtype == object else values
            total = matches(texts.astype("str"), f"(?i)(?:{TOTAL.pattern}):?")
            found.loc[texts.index[total]] = True
    return found


def as_texts(frame: pd.DataFrame) -> list[list[str]]:
    """Return the cells of a few rows as text, "" where there is none."""
    return [["" if pd.isna(cell) else str(cell).strip() for cell in row] for row in frame.to_numpy(dtype=object)]


def find_headers(frame: pd.DataFrame, names: Sequence[str]) -> pd.Series:
    """Return which rows repeat the names, as in files that were joined. Names that are all numbers may be data."""
    same = pd.Series(not all(map(is_number, filter(None, names))), index=frame.index)
    for at, name in enumerate(names):
        if not same.any() or frame.empty:
            break
        same &= frame.iloc[:, at].astype(object).eq(name) if name else frame.iloc[:, at].isna()
    return same


def find_footer(frame: pd.DataFrame) -> int:
    """Return how many rows at the end are totals and notes."""
    tail = frame.iloc[1:].tail(DEEPEST)
    cells = [[str(value).strip() for value in row if not pd.isna(value)] for row in tail.to_numpy(dtype=object)]
    depth = 0
    while depth < len(cells) and is_footer(cells[-1 - depth], frame.shape[1]):
        depth += 1
    return depth


def is_footer(cells: Sequence[str], width: int) -> bool:
    """Tell whether the cells of a row that are not empty are a total, or one note in a table of several columns."""
    if TOTAL.fullmatch(cells[0].rstrip(":")):
        return True
    return len(cells) == 1 and width > 2 and (bool(NOTE.match(cells[0].lower())) or len(cells[0].split()) > 2)


def is_rule(cells: Sequence[str]) -> bool:
    """Tell whether a row is a line between others: `-----+----`."""
    return any("--" in cell or "==" in cell for cell in cells) and all(map(RULE.fullmatch, filter(None, cells)))


def describe_row(what: str, where: str, cells: Sequence) -> dict:
    """Return the entry of one row that was left out."""
    return {"what": what, "rows": 1, "where": where, "text": show_cells(cells)}


def shorten(skipped: list[dict], most: int = 20) -> list[dict]:
    """Return the first entries of what was left out, and one that counts the rows of the others."""
    rest = sum(entry["rows"] for entry in skipped[most:])
    return skipped[:most] + ([{"what": "more", "rows": rest, "where": "", "text": ""}] if rest else [])


def show_cells(cells: Sequence) -> str:
    """Return the cells of a row for a message, at most 60 characters, with `***` for what looks personal."""
    texts = ["" if pd.isna(cell) else " ".join(str(cell).split()) for cell in cells]
    personal = find_pii(pd.DataFrame([texts], dtype="str"))
    text = " | ".join("***" if at in personal else text for at, text in enumerate(texts) if text)
    return text if len(text) <= 60 else text[:57] + "..."


def are_units(row: list[str], body: list[list[str]]) -> bool:
    """Tell a row of units from data: words where all that follows are numbers, in two columns or in brackets."""
    body = [other for other in body if len(other) == len(row)]
    if len(body) < 3:
        return False
    amounts = find_amounts(row, body)
    words = [row[at] for at in amounts if row[at] and row[at].lower() not in PLACEHOLDERS]
    bracketed = bool(words) and all(re.fullmatch(r"[(\[].+[)\]]", word) for word in words)
    return (len(words) > 1 or bracketed) and not any(map(is_number, words))


def find_amounts(row: list[str], body: list[list[str]]) -> list[int]:
    """Return the places of a row where the rows of `body` have numbers."""
    return [at for at in range(len(row)) if is_amount([other[at] for other in body])]


def is_amount(cells: Sequence[str]) -> bool:
    """Tell whether most of the cells that are not empty are numbers or dates."""
    there = [cell for cell in cells if cell and cell.lower() not in PLACEHOLDERS]
    return bool(there) and sum(map(is_number, there)) >= 0.8 * len(there)


def is_number(cell: str) -> bool:
    """Tell whether a cell is a number or a date in digits."""
    return len(cell) < 50 and bool(AMOUNT.fullmatch(cell))


def looks_like_data(row: list[str], body: list[list[str]]) -> bool:
    """Tell whether a row has numbers where the rows below it have numbers, and no word there."""
    body = [other for other in body if len(other) == len(row)]
    amounts = [at for at in find_amounts(row, body) if row[at]]
    if amounts:
        return all(is_number(row[at]) for at in amounts)
    return len(body) > 1 and all(any(other[at] == cell for other in body) for at, cell in enumerate(row))


def explain_reading(frame: pd.DataFrame, source: dict) -> str:
    """Return how a source was understood, its first rows and which parameters change that, for an error.

    Values that look personal are `***`. `source` is what `load_source` tells.
    """
    keys = ("kind", "separator", "encoding", "sheet", "header_row", "records")
    facts = ", ".join(f"{key} {source[key]!r}" for key in keys if key in source)
    top, personal = frame.iloc[:2, :20], find_pii(frame.head(100))
    first = {name: ["***"] * len(top) if name in personal else top[name].tolist() for name in top}
    rows = [list(first), *zip(*first.values(), strict=True)]
    shown = "".join(f"\n  {show_cells(row)}" for row in rows)
    changes = {"header_row": "`header_row`, `skip_rows`, `names`, `comment`", "separator": "`separator`, `encoding`"}
    fixes = [words for name, words in (changes | {"sheet": "`sheet`"}).items() if name in source]
    hint = f"\nIf that is wrong, change {', '.join(fixes)} in `ingest` of params.yaml." if fixes else ""
    return f"The source was read as {facts}:{shown}{hint}"
