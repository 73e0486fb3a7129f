"""Files that do not start with their header, or do not end with their data: what comes out is the table alone."""

import io

import openpyxl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from stagebook.data.reading.sources import load_source
from stagebook.project.errors import DataError

NAMES = ["age", "plan", "y"]
ROWS = [["31", "a", "1"], ["44", "b", "0"], ["27", "a", "0"], ["58", "c", "1"], ["39", "b", "1"]]


def lines(rows, separator=","):
    return "".join(separator.join(row) + "\n" for row in rows)


TABLE, BODY = lines([NAMES, *ROWS]), lines(ROWS)
WIDE = lines([NAMES, *ROWS], ";").replace("\n", ";;\n")


@pytest.fixture
def read(tmp_path):
    """Read text, bytes or sheets (rows by name) as a file of the test's own, for the target y."""

    def read_content(content, name="t.csv", encoding="utf-8", **how):
        path = tmp_path / name
        if isinstance(content, dict):
            book = openpyxl.Workbook()
            book.remove(book.active)
            for title, rows in content.items():
                sheet = book.create_sheet(title)
                for row in rows:
                    sheet.append(row)
            buffer = io.BytesIO()
            book.save(buffer)
            content = buffer.getvalue()
        path.write_bytes(content if isinstance(content, bytes) else content.encode(encoding))
        return load_source(str(path), **({"expect": ["y"]} | how))

    return read_content


def cells(frame):
    return frame.astype("str").to_numpy().tolist()


def whats(facts):
    return [entry["what"] for entry in facts["skipped"]]


@pytest.mark.parametrize(
    ("content", "skipped"),
    [
        ("Quarterly export\nprepared by: sales\n\n" + TABLE, ["title", "title"]),
        ("Report,2024\n" + TABLE, ["title"]),
        ("Report;2024;Q1;;\n\n" + WIDE, ["title", "empty column"]),
        ("Report;;;;\n" + WIDE, ["title", "empty column"]),
        ("# exported 2024-01-31\n# units: years, none, none\n" + TABLE, ["comment", "comment"]),
        ("// exported\n" + TABLE + "# end of export\n", ["comment", "comment"]),
        ("# made by numpy\n# " + TABLE, ["comment"]),
        (TABLE + "Total,5,3\n", ["total or note"]),
        (TABLE + "Summe,5\n", ["total or note"]),
        (TABLE + "\nSource: own survey\n(c) 2024\n", ["total or note", "total or note"]),
        (TABLE + ",,\n\n,,\n", ["empty"]),
        (WIDE + "Gesamt:;5;3;;\n;;;;\n", ["empty", "total or note", "empty column"]),
        (lines([NAMES, *ROWS[:-1]]) + lines([NAMES]) + "39,b,1\n", ["header again"]),
        (lines([NAMES]) + "(years),,(yes=1)\n" + BODY, ["units"]),
        (lines([NAMES]) + "---,----,-\n" + BODY, ["line"]),
        (lines([NAMES]) + "-----+------+----\n" + BODY + "(5 rows)\n", ["line", "total or note"]),
        ("sep=,\n" + TABLE, []),
        (TABLE.replace("\n", ",\n"), ["empty column"]),
        (lines([NAMES]) + BODY.replace("\n", ",\n"), ["empty column"]),
        ("," + TABLE.replace("\n", "\n,")[:-1], ["empty column"]),
    ],
)
def test_only_the_table_comes_out(read, content, skipped):
    frame, facts = read(content)
    assert list(frame) == NAMES
    assert cells(frame) == ROWS
    assert whats(facts) == skipped


@pytest.mark.parametrize("separator", [*",;\t|^~", "   ", "\t\t"])
@pytest.mark.parametrize("above", ["", "Members, first quarter; all\n\n"])
def test_separators(read, separator, above):
    frame, _ = read(above + lines([NAMES, *ROWS], separator), expect=["y"])
    assert cells(frame) == ROWS
    assert cells(read(lines([NAMES, *ROWS], separator), expect=[])[0]) == ROWS


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252"])
def test_titles_in_other_encodings(read, encoding):
    frame, facts = read("Übersicht für März\n\n" + TABLE.replace("a,", "ä,") + "Summe,5\n", encoding=encoding)
    assert list(frame) == NAMES
    assert (len(frame), frame["plan"].iloc[0], facts["header_row"]) == (5, "ä", 3)


def test_names_of_two_rows_are_joined(read):
    joined = ["", "sales_2023", "sales_2024", "costs_2023", "costs_2024"]
    body = "".join(f"r{n},{n},2,3,{n % 2}\n" for n in range(5))
    frame, _ = read(",sales,sales,costs,costs\n,2023,2024,2023,2024\n" + body, expect=["costs_2024"])
    assert list(frame)[1:] == joined[1:]
    assert len(frame) == 5
    frame, _ = read("age,Sales,,y\n,2023,2024,\n" + "1,2,3,0\n" * 3)
    assert list(frame) == ["age", "Sales_2023", "Sales_2024", "y"]
    assert len(frame) == 3


def test_row_names_of_r(read):
    frame, _ = read(TABLE[:-1].replace("\n", "\nr,") + "\n")
    assert list(frame) == ["column_1", *NAMES]
    assert cells(frame.iloc[:, 1:]) == ROWS


def test_values_over_several_lines_below_a_title(read):
    frame, facts = read('Export "of all"\n' + TABLE + '60,"two\nlines, and more",1\n61,a,0\n')
    assert cells(frame)[-2:] == [["60", "two\nlines, and more", "1"], ["61", "a", "0"]]
    assert facts["header_row"] == 2


def test_what_looks_like_a_note_is_kept_where_it_is_data(read):
    rows = [["Total", "a", "1"], ["Summe", "b", "0"], ["# 3", "c", "1"], ["x", "", ""], ["z", "b", "1"]]
    frame, facts = read(lines([NAMES, *rows]))
    assert frame["age"].tolist() == ["Total", "Summe", "# 3", "x", "z"]
    assert whats(facts) == []
    frame, facts = read("# of rooms,y\n1,2\n3,4\n")
    assert list(frame) == ["# of rooms", "y"]


@pytest.mark.parametrize("content", [BODY, "Report\n" + BODY, lines(ROWS, ";"), {"s": ROWS}])
def test_missing_header_is_named_with_the_fix(read, content):
    name = "t.xlsx" if isinstance(content, dict) else "t.csv"
    with pytest.raises(DataError, match=r"has no header.*31 \| a \| 1.*names: \[column_1, column_2, y\]"):
        read(content, name)
    frame, facts = read(content, name, names=NAMES)
    assert list(frame) == NAMES
    assert cells(frame) == ROWS
    assert facts["header_row"] == 0


def test_text_without_header_is_known_by_its_values(read):
    with pytest.raises(DataError, match="has no header"):
        read("a,yes\nb,no\na,no\nb,yes\n")


def test_what_the_user_says_comes_first(read):
    content = "a,b,c\n" + TABLE + "left,out,here\n% a remark, of two\n60,c,1\n"
    frame, facts = read(content, header_row=1, comment="%", expect=[])
    assert list(frame) == ["a", "b", "c"]
    frame, facts = read(content, header_row=2, skip_rows=[8], comment="%")
    assert list(frame) == NAMES
    assert cells(frame) == [*ROWS, ["60", "c", "1"]]
    frame, facts = read(content, header_row=2, names=["n", "p", "y"], skip_rows=[8], comment="%")
    assert list(frame) == ["n", "p", "y"]
    assert facts["header_row"] == 2
    assert list(read(TABLE, names=NAMES)[0]["age"]) == [row[0] for row in ROWS]


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ({"header_row": 99}, "`ingest.header_row` is 99"),
        ({"names": ["a", "y"]}, "`ingest.names` has 2 names, the table 3 columns"),
    ],
)
def test_what_the_user_says_must_fit(read, how, words):
    with pytest.raises(DataError, match=words):
        read(TABLE, **how)


def test_a_row_of_another_width_is_named_with_the_ways_out(read):
    with pytest.raises(DataError, match=r"line 7 has 2 values, the header has 3.*skip_rows: \[7\].*header_row"):
        read(TABLE + "60,c\n61,a,0\n")


def test_workbook_with_titles_groups_and_totals(read):
    typed = [[int(age), plan, int(y)] for age, plan, y in ROWS]
    sheets = {
        "About": [["Members"], ["as of", 2024]],
        "Data": [[None, "Members"], [], [None, *NAMES], *([None, *row] for row in typed), [], [None, "Total", 5]],
    }
    frame, facts = read(sheets, "t.xlsx")
    assert (facts["sheet"], facts["header_row"]) == ("Data", 3)
    assert list(frame) == NAMES
    assert frame["age"].dtype == "int64"
    assert cells(frame) == ROWS
    assert whats(facts) == ["title", "empty", "total or note", "empty column"]
    groups = [["Person", None, "Result"], [*NAMES[:2], "y"], *typed]
    assert list(read({"s": groups}, "t.xlsx")[0]) == NAMES
    levels = [["2023", None, None, "y"], ["North", None, "South", None], ["a", "b", "a", None]]
    frame, _ = read({"s": levels + [[1, 2, 3, n % 2] for n in range(4)]}, "t.xlsx")
    assert list(frame) == ["2023_North_a", "2023_North_b", "2023_South_a", "y"]
    merged = [["age", "Spent", None, "y"], [None, 2023, 2024, None], *([1, 2, 3, n % 2] for n in range(4))]
    assert list(read({"s": merged}, "t.xlsx")[0]) == ["age", "Spent_2023", "Spent_2024", "y"]


@pytest.mark.parametrize("kind", ["t.csv", "t.xlsx"])
def test_subtotals_and_a_second_table_are_left_out(read, kind):
    typed = [[int(age), plan, int(y)] for age, plan, y in ROWS]
    rows = [NAMES, *typed[:3], ["Subtotal", 3, 1], *typed[3:], ["Total", 5, 3], [], ["plan", "price", ""], ["a", 3, ""]]
    if kind == "t.csv":
        rows = "".join("{},{},{}\n".format(*[*row, "", "", ""]) for row in rows)
    frame, facts = read(rows if kind == "t.csv" else {"s": rows}, kind)
    assert cells(frame) == ROWS
    assert [entry["what"] for entry in facts["skipped"] if entry["what"] != "empty"] == [
        "second table", "total or note", "total or note",
    ]  # fmt: skip
    assert facts["skipped"][0]["rows"] == 2


def test_skipped_text_hides_what_is_personal(read):
    _, facts = read("contact: me,ada@example.org\n" + TABLE)
    assert facts["skipped"][0]["text"] == "contact: me | ***"


FIXED = "".join(f"{age:<5}{plan:<10}{y:>4}\n" for age, plan, y in [NAMES, *ROWS])
PLACES = FIXED.replace("b    ", "New York"[:5]).replace(
    "c    ", "     "
)  # a value with a blank, and one that is missing
BOX = "+-----+------+---+\n"


@pytest.mark.parametrize(
    ("content", "rows"),
    [
        (lines([NAMES, *ROWS], "::"), ROWS),
        (lines([NAMES, *ROWS], "||"), ROWS),
        (lines([NAMES, *ROWS], ":"), ROWS),
        ("| " + lines([NAMES, ["----", ":---", "--:"], *ROWS], " | ").replace("\n", " |\n| ")[:-2], ROWS),
        (BOX + "| " + lines([NAMES], " | ")[:-1] + " |\n" + BOX
         + "| " + lines(ROWS, " | ").replace("\n", " |\n| ")[:-2] + BOX + "5 rows in set (0.00 sec)\n", ROWS),
        (" age | plan | y \n-----+------+---\n " + lines(ROWS, " | ").replace("\n", " \n ")[:-1] + "(5 rows)\n\n", ROWS),
        ("".join(f"'{a}', '{b}, x', {c}\n" for a, b, c in [NAMES, *ROWS]).replace(", x", "", 1),
         [[a, f"{b}, x", c] for a, b, c in ROWS]),
        (TABLE + '60,"say \\"x\\", y",1\n', [*ROWS, ["60", 'say "x", y', "1"]]),
        (FIXED, ROWS),
        ("Members of the club in 2024\n\n" + PLACES, [[a, {"b": "New Y", "c": ""}.get(b, b), y] for a, b, y in ROWS]),
    ],
)  # fmt: skip
def test_other_ways_to_write_a_table(read, content, rows):
    frame, _ = read(content, "t.txt")
    assert list(frame) == NAMES
    assert cells(frame.fillna("")) == rows


def test_a_target_that_is_a_value_too(read):
    rows = [["31", "y"], ["44", "n"], ["27", "y"]]
    frame, facts = read(lines([["age", "y"], *rows]))
    assert (cells(frame), facts["skipped"]) == (rows, [])
    with pytest.raises(DataError, match="has no header"):
        read(lines(rows))


def test_a_second_table_below_is_left_out_and_counted(read):
    frame, facts = read(TABLE + "\nday,n\n" + "1,2\n" * 30)
    assert cells(frame) == ROWS
    assert len(facts["skipped"]) == 21
    assert facts["skipped"][-1] == {"what": "more", "rows": 11, "where": "", "text": ""}


KINDS = [
    st.integers(0, 5000).map(str),
    st.integers(-999, 999).map(lambda cents: f"{cents / 100:.2f}"),
    st.sampled_from(["a", "b", "id 7", "one two three"]),
    st.dates().map(str),
]
ABOVE = st.sampled_from(["Report", "numbers of the north", "as of 2024-01-31", "# by x", "By|ada", "Title|||", "", " "])
BELOW = st.sampled_from(["", "Total|5", "Source: somebody", "|", "|||", "Summe:|||", "(12 rows)"])
WORDS = ["price", "city", "kind", "2023", "of all", "rate"]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_any_table_comes_out_of_titles_and_notes(read, data):
    names = [*data.draw(st.lists(st.sampled_from(WORDS), min_size=1, max_size=5, unique=True)), "y"]
    kinds = [data.draw(st.sampled_from(KINDS)) for _ in names]
    rows = data.draw(st.lists(st.tuples(*kinds), min_size=5, max_size=12))
    rows = [list(row) for row in rows] + [["x"] * len(names)]
    pad = "|" * data.draw(st.integers(0, 2))
    above, below = (data.draw(st.lists(part, max_size=3)) for part in (ABOVE, BELOW))
    text = "\n".join([*above, *("|".join(row) + pad for row in [names, *rows]), *below])
    frame, _ = read(text.replace("|", data.draw(st.sampled_from(["|", ";", ",", "\t"]))))
    assert list(frame) == names
    assert cells(frame) == rows
