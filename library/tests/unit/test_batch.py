"""Batch scoring must give what the service gives, refuse wrong rows by name, and be found again by its key."""

import gzip
import json
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from batches import ROWS, in_log, in_table, new_rows, score, write_batch, written
from fastapi.testclient import TestClient
from filelock import FileLock
from samples import write_files
from serving import EXAMPLE, inputs_of, write_model
from stagebook.data.reading.chunks import open_chunks
from stagebook.data.reading.sources import read_source
from stagebook.predictions.store import read_predictions
from stagebook.project.errors import DataError, StepError, StoreError
from stagebook.project.settings import DEFAULTS
from stagebook.request.rows import RequestError, to_table
from stagebook.request.typed import type_rows
from stagebook.serve.app import create_app
from stagebook.serve.batch.run import ingest_hints
from stagebook.serve.batch.table import count_run, find_prediction, open_table, read_key, upsert
from stagebook.serve.package import open_package
from stagebook.serve.service import Service


@pytest.fixture
def root(tmp_path):
    return write_batch(tmp_path / "tiny")


@pytest.fixture
def service(root):
    service = Service(root, DEFAULTS["serve"], root / "models" / "first", "tiny")
    yield service
    service.close()


def contract_of(root):
    return open_package(root / "models" / "first", root, "tiny").contract


def table_of(root):
    return open_table(f"sqlite:///{root}/.local/precomputed.db")


# What is written.


def test_predictions_are_those_of_the_service_in_parquet_table_and_log(root, service):
    done = score(root)
    rows = new_rows().to_dict("records")
    expected = [answer.output for answer in service.answer(rows)]
    parts, table = written(root), in_table(root)
    assert parts["row"].tolist() == list(range(1, ROWS + 1)) and parts["id"].tolist() == [row["id"] for row in rows]
    assert parts[["prediction", "probability"]].to_dict("records") == expected
    assert [json.loads(table[row["id"]]["output"]) for row in rows] == expected
    assert {row["version"] for row in table.values()} == set(parts["version"]) == {"1"}
    log = read_predictions(f"sqlite:///{root}/.local/predictions.db", datetime.now(UTC) - timedelta(1), datetime.max)
    log = log.sort_values("row")
    assert log["output"].tolist() == expected and log["request_id"].unique().tolist() == [f"batch-{done['run']}"]
    assert log["key"].tolist() == [{"id": row["id"]} for row in rows]
    assert log["features"].iloc[1]["age"] == float(rows[1]["age"]) and "mail" not in log["inputs"].iloc[0]
    assert (done["rows"], done["keys"], done["chunks"], done["log_rows"]) == (ROWS, ROWS, 5, ROWS)
    assert set(log["asked_at"]) == {pd.Timestamp(done["predicted_at"])}


def test_personal_values_are_in_no_file(root):
    score(root)
    stored = [*(root / "data" / "scored").iterdir(), *(root / ".local").iterdir()]
    assert not [file for file in stored if b"somebody" in file.read_bytes()]


def test_the_same_run_again_changes_no_prediction_and_logs_nothing_twice(root):
    first, before = score(root), in_table(root)
    again, after = score(root), in_table(root)
    assert first["run"] == again["run"] and again["resumed_rows"] == 0 and in_log(root) == ROWS
    assert {key: row["output"] for key, row in before.items()} == {key: row["output"] for key, row in after.items()}


def test_a_share_of_the_rows_is_logged_the_same_ones_each_time(root):
    new_rows(2_000).to_csv(root / "new.csv", index=False)
    done = score(root, chunk_rows=300, log_share=0.25)
    assert 430 < done["log_rows"] < 570 and in_log(root) == done["log_rows"]
    assert score(root, chunk_rows=300, log_share=0.25)["log_rows"] == done["log_rows"] == in_log(root)


def test_rows_that_are_inputs_of_the_model_need_no_preparation(root, service):
    inputs = inputs_of(ROWS)[0].assign(id=[f"c{place}" for place in range(ROWS)])
    inputs.loc[3, "price"] = np.nan
    inputs.to_parquet(root / "inputs.parquet")
    score(root, "inputs.parquet", prepared=True)
    rows = inputs.drop(columns="id").astype(object).where(inputs.notna(), None).to_dict("records")
    expected = [answer.output for answer in service.answer_inputs(rows, service.current)]
    assert written(root)[["prediction", "probability"]].to_dict("records") == expected
    assert json.loads(in_table(root)["c3"]["output"]) == expected[3]


def test_without_a_key_only_parquet_is_written(root):
    contract = json.loads((root / "models" / "first" / "request.json").read_text())
    contract["table"]["columns"]["id"]["role"] = "feature"
    (root / "models" / "first" / "request.json").write_text(json.dumps(contract))
    assert score(root)["keys"] == 0 and len(written(root)) == ROWS and not (root / ".local/precomputed.db").exists()
    assert score(root, key=["id", "code"])["key"] == ["id", "code"]
    assert len(in_table(root)) == ROWS


def test_of_a_key_that_occurs_twice_the_last_row_stays(root):
    rows = new_rows()
    pd.concat([rows, rows.iloc[:1].assign(age="99")]).to_csv(root / "new.csv", index=False)
    for chunk_rows in (5, 100):
        done = score(root, chunk_rows=chunk_rows)
        assert (done["rows"], done["keys"]) == (ROWS + 1, ROWS)
        assert (
            json.loads(in_table(root)["c0"]["output"])
            == written(root)[["prediction", "probability"]].iloc[-1].to_dict()
        )


def test_the_control_group_is_that_of_the_service(root, service):
    settings = (
        (root / "pyproject.toml")
        .read_text()
        .replace("[tool.stagebook.serve]", "[tool.stagebook.serve]\ncontrol_share = 0.5")
    )
    (root / "pyproject.toml").write_text(settings)
    score(root)
    service.control_share = 0.5
    answers = service.answer(new_rows().to_dict("records"))
    expected = service.record("", answers, datetime.now(UTC), 0.0)
    assert {one["control"] for one in expected} == {True, False}
    assert [json.loads(row["output"]) for row in in_table(root).values()] == sorted_by_id(expected)


def sorted_by_id(outputs):
    return [outputs[int(key[1:])] for key in sorted(f"c{place}" for place in range(ROWS))]


# What is read.


@pytest.mark.parametrize("name", ["new.csv", "new.csv.gz", "new.tsv", "new.parquet", "new.jsonl"])
def test_each_kind_of_file_gives_the_same_predictions(root, name):
    score(root)
    expected, frame, file = written(root), new_rows(), root / name
    if name.endswith("gz"):
        file.write_bytes(gzip.compress((root / "new.csv").read_bytes()))
    elif name.endswith("parquet"):
        frame.astype({"age": "int64"}).to_parquet(file)
    elif name.endswith("jsonl"):
        frame.to_json(file, orient="records", lines=True)
    elif name.endswith("tsv"):
        frame.to_csv(file, sep="\t", index=False)
    for large in (0, 32):
        score(root, name, large=large)
        pd.testing.assert_frame_equal(written(root).drop(columns="predicted_at"), expected.drop(columns="predicted_at"))


@pytest.mark.parametrize("last", ['"c,99",x\n', "c99,x\n# a note\n", "c99,x,,\n"])
def test_a_text_file_in_pieces_is_the_file_at_once(tmp_path, last):
    lines = ["id,code\n", *(f"c{place},{place % 7}\n" for place in range(5_000)), last]
    (tmp_path / "some.csv").write_text("".join(lines))
    with open_chunks("some.csv", 999, base=tmp_path, large=0) as source:
        frames = list(source.frames)
    assert {len(frame) for frame in frames[:-1]} == {999}
    pd.testing.assert_frame_equal(pd.concat(frames, ignore_index=True), read_source("some.csv", base=tmp_path))


def test_a_line_too_long_in_a_large_file_is_named(tmp_path):
    (tmp_path / "some.csv").write_text("id,code\n" + "c,1\n" * 5_000 + "c,1,2\n" + "c,1\n" * 9)
    with (
        open_chunks("some.csv", 999, base=tmp_path, large=0) as source,
        pytest.raises(DataError, match="line 5002 has 3"),
    ):
        list(source.frames)


def test_new_rows_are_read_as_ingest_reads(root):
    write_files(root, {"params.yaml": "ingest: {separator: '|', encoding: '', skip_rows: [3], path: x.csv}\n"})
    assert ingest_hints(root) == {"separator": "|"}


# Types: what one request says, a column says too.

MESSY = {
    "when": ["13/04/2024", "2024-04-13", " 01/02/2023 ", "13/04/2024 10:20", EXAMPLE["when"]],
    "price": ["1.234,5", "", "NA", "-7", "12 345,6"],
    "age": ["0", "120", "41", "41.0", " 7"],
    "code": ["AB", None, "XY", "ZZ", "AA"],
    "kind": ["new", None, "é", "'", "old"],
    "paid": ["yes", "no", "TRUE", None, "0"],
}


def test_columns_are_typed_as_single_requests(root):
    contract, frame = contract_of(root), pd.DataFrame({"id": list("abcde"), **MESSY, "mail": ["m"] * 5})
    rows = frame.astype(object).where(frame.notna(), None).to_dict("records")
    pd.testing.assert_frame_equal(type_rows(frame, contract), to_table(rows, contract))


@pytest.mark.parametrize(
    "wrong",
    [
        {"age": "old"},
        {"age": "121"},
        {"age": "1.5"},
        {"age": ""},
        {"age": None},
        {"price": "1e39"},
        {"price": "much"},
        {"when": "soon"},
        {"when": None},
        {"when": "13/04/1500"},
        {"code": "abc"},
        {"paid": "perhaps"},
    ],
)
def test_a_wrong_value_is_refused_in_the_words_of_a_request(root, wrong):
    contract = contract_of(root)
    frame = pd.DataFrame([EXAMPLE, EXAMPLE, {**EXAMPLE, **wrong}, EXAMPLE]).astype({"age": "str"}, errors="ignore")
    frame["age"] = [str(EXAMPLE["age"])] * 2 + [wrong.get("age", "41")] + ["41"]
    with pytest.raises(RequestError) as column:
        type_rows(frame, contract)
    with pytest.raises(RequestError) as single:
        to_table(frame.astype(object).where(frame.notna(), None).to_dict("records"), contract)
    assert (column.value.allowed, column.value.row, column.value.name) == (single.value.allowed, 2, next(iter(wrong)))


# What is refused.


def change(root, **columns):
    new_rows().assign(**columns).to_csv(root / "new.csv", index=False)


def refused(root, *words, **options):
    with pytest.raises(DataError) as error:
        score(root, **options)
    assert all(word in str(error.value) for word in words), str(error.value)
    return str(error.value)


def test_a_missing_column_is_named(root):
    new_rows().drop(columns=["age", "kind"]).to_csv(root / "new.csv", index=False)
    refused(root, "new.csv: column 'age' is missing (and 1 more)", "It has id, when")
    assert not in_parts(root)


def test_a_column_that_nobody_knows_is_named_and_one_of_the_schema_is_not(root):
    change(root, late="late", colour="red")
    refused(root, "new.csv: column 'colour' is neither a field of a request nor a column of data/schema.yaml")
    schema = "tables:\n  table:\n    columns:\n      colour: {type: category}\n"
    write_files(root, {"data/schema.yaml": schema})
    assert score(root)["rows"] == ROWS


def in_parts(root):
    return sorted(file.name for file in (root / "data" / "scored").glob("*part*"))


def test_a_value_of_another_type_is_named_and_what_was_before_it_is_kept(root):
    change(root, age=["30"] * 12 + ["thirty"] + ["30"] * (ROWS - 13))
    said = refused(
        root, "new.csv, row 13, column 'age': 'thirty' must be a whole number", "10 rows of new.csv are written"
    )
    assert "Traceback" not in said and len(in_table(root)) == 10 and len(in_parts(root)) == 2 and in_log(root) == 10


def test_a_personal_value_is_in_no_error(root):
    change(root, mail=["x@example.org"] * ROWS)
    contract = json.loads((root / "models" / "first" / "request.json").read_text())
    contract["table"]["columns"]["mail"]["pattern"] = "^nobody"
    (root / "models" / "first" / "request.json").write_text(json.dumps(contract))
    assert "example.org" not in refused(root, "row 1, column 'mail': 'a personal value' must match")
    with pytest.raises(DataError, match="'mail', which is personal data"):
        score(root, key=["mail"])


def test_a_row_without_key_is_named(root):
    change(root, id=["a", None] + ["b"] * (ROWS - 2))
    refused(root, "new.csv, row 2, column 'id': None must have a value: it is part of the key")


@pytest.mark.parametrize(
    ("content", "said"),
    [("", "it is empty"), ("id,when,age\n", "a header and no rows"), (None, "there is no file|no such")],
)
def test_a_file_without_rows_is_named(root, content, said):
    (root / "new.csv").unlink()
    if content is not None:
        (root / "new.csv").write_text(content)
    for large in (0, 32):
        assert re.search(said, refused(root, "new.csv", large=large), re.IGNORECASE)


def test_a_parquet_file_without_rows_or_that_is_none_is_named(root):
    new_rows(0).to_parquet(root / "none.parquet")
    (root / "broken.parquet").write_bytes(b"PAR1 and nothing else PAR1")
    for name, said in (("none", "but no rows"), ("broken", "cannot be read as Parquet")):
        with pytest.raises(DataError, match=f"{name}.parquet: .*{said}"):
            score(root, f"{name}.parquet")


def test_prepare_that_fails_and_a_wrong_setting_are_named(root):
    with (root / "code" / "tiny" / "request.py").open("a") as file:
        file.write("\n\ndef prepare(rows, contract, join):\n    return rows['nothing']\n")
    sys.modules.pop("tiny.request", None)
    refused(root, "`prepare` fails with KeyError: 'nothing'")
    sys.modules.pop("tiny.request", None)
    for wrong in ({"join": "both"}, {"chunk_rows": 0}, {"log_share": 2.0}):
        with pytest.raises(StepError, match=next(iter(wrong))):
            score(root, **wrong)


# Faults between two chunks; processes that end are in service/test_batch_faults.py.


def test_another_version_between_two_chunks_scores_all_rows_again(root, capsys, monkeypatch):
    write_model(root / "models" / "second", "2", seed=1)
    change(root, age=["30"] * 12 + ["thirty"] + ["30"] * (ROWS - 13))
    refused(root, "row 13")
    change(root)  # corrected: another file, so another run
    with monkeypatch.context() as patch:
        patch.setattr("stagebook.serve.batch.writer.record_chunk", fail_at(3))
        with pytest.raises(StoreError, match=r"10 rows of new.csv are written; the same command goes on after them"):
            score(root)
    assert score(root, model="models/second")["resumed_rows"] == 0
    assert "unfinished run of version 1 on new.csv (10 rows) is dropped: now it is version 2" in capsys.readouterr().out
    assert set(written(root)["version"]) == {row["version"] for row in in_table(root).values()} == {"2"}


def fail_at(call):
    from stagebook.serve.batch.record import record_chunk

    calls = []

    def record(*words, **named):
        calls.append(1)
        if len(calls) == call:
            raise StoreError("the log is away")
        return record_chunk(*words, **named)

    return record


def test_two_runs_at_once_are_refused(root):
    (root / "data" / "scored").mkdir(parents=True)
    with FileLock(root / "data" / "scored" / ".lock"), pytest.raises(StepError, match="another scoring run"):
        score(root)


def test_an_older_prediction_never_takes_the_place_of_a_newer_one(tmp_path):
    engine, now = open_table(f"sqlite:///{tmp_path}/t.db"), datetime(2024, 1, 2)
    row = ('{"id":"a"}', '{"p":1}', "m", "1", now, "new")
    upsert(engine, [row])
    upsert(engine, [('{"id":"a"}', '{"p":2}', "m", "0", now - timedelta(1), "old")])
    assert (count_run(engine, "new"), count_run(engine, "old")) == (1, 0)
    upsert(engine, [(*row[:4], now + timedelta(1), "newest")])
    assert (count_run(engine, "new"), count_run(engine, "newest")) == (0, 1)


# Looking up.


def test_a_key_is_found_however_it_is_written(root):
    contract = contract_of(root)
    (root / ".local").mkdir()
    assert find_prediction(table_of(root), ["c1"], contract) is None  # nothing was scored yet
    done = score(root, key=["id", "age", "when"])
    found = find_prediction(table_of(root), ["when=2024-04-13", "id=c1", "age=23.0"], contract)
    assert found["key"]["age"] == "23" and (found["model"], found["version"], found["run"]) == (
        "tiny",
        "1",
        done["run"],
    )
    assert found["predicted_at"] == done["predicted_at"]
    assert find_prediction(table_of(root), ["id=c99", "age=23", "when=13/04/2024"], contract) is None
    for words, said in (
        (["c1"], "id=... age=... when=...|age=... id="),
        (["id=a", "age=x", "when=1/1/2024"], "'age': 'x'"),
    ):
        with pytest.raises(DataError, match=said):
            find_prediction(table_of(root), words, contract)
    assert read_key(["a=b"], ["id"], contract) == read_key(["id=a=b"], ["id"], contract) == {"id": "a=b"}


def test_the_service_and_the_command_read_the_table(root, service):
    client = TestClient(create_app(service), base_url="http://localhost")
    assert client.get("/predictions?key=c1").status_code == 404
    score(root)
    found = client.get("/predictions?key=c1").json()
    assert (
        found["output"]
        == client.post("/predict", json={"rows": [new_rows().iloc[1].to_dict()]}).json()["predictions"][0]
    )
    assert (found["key"], found["version"]) == ({"id": "c1"}, "1")
    assert client.get("/predictions").status_code == client.get("/predictions?key=x=1&key=y=2").status_code == 422
    assert client.get("/openapi.json").json()["paths"]["/predictions"]["get"]["summary"]
    write_files(root, {"data/processed/request.json": (root / "models/first/request.json").read_text()})
    command = [sys.executable, "-m", "stagebook", "lookup"]
    shown = subprocess.run([*command, "c1"], cwd=root, capture_output=True, text=True, check=True).stdout
    assert json.loads(shown) == found
    absent = subprocess.run([*command, "nobody"], cwd=root, capture_output=True, text=True, check=False)
    assert absent.returncode == 1 and "no precomputed prediction of 'nobody'" in absent.stdout


def test_a_batch_imports_no_web_server():
    code = "import sys, stagebook.serve.batch.run; sys.exit(bool({'fastapi', 'uvicorn', 'mlflow'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
