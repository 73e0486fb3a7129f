"""Files between steps: what is wrong with one must be said by name, and none may be left half-written."""

import pandas as pd
import pytest
from stagebook.data.tables import read_table, write_table
from stagebook.project.errors import DataError
from stagebook.project.files import replace_file


def test_missing_file_is_named(tmp_path):
    with pytest.raises(DataError, match=r"none.parquet is missing. `dvc repro` makes it"):
        read_table(tmp_path / "none.parquet")


def test_file_that_is_not_parquet_is_named(tmp_path):
    (tmp_path / "bad.parquet").write_text("a,b\n1,2\n")
    with pytest.raises(DataError, match=r"bad.parquet cannot be read as Parquet"):
        read_table(tmp_path / "bad.parquet")


def test_missing_column_is_named(tmp_path):
    write_table(pd.DataFrame({"a": [1]}), tmp_path / "t.parquet")
    with pytest.raises(DataError, match=r"t.parquet: column 'b' is missing. It has a\."):
        read_table(tmp_path / "t.parquet", columns=["a", "b"])


def test_failed_write_keeps_the_old_file(tmp_path):
    file = tmp_path / "t.txt"
    file.write_text("old")
    with pytest.raises(RuntimeError), replace_file(file) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert file.read_text() == "old"
    assert list(tmp_path.iterdir()) == [file]


def test_same_table_gives_same_bytes(tmp_path):
    frame = pd.DataFrame({"number": [1.5, None], "text": ["ä", None]})
    for name in ("one", "two"):
        write_table(frame, tmp_path / name)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    pd.testing.assert_frame_equal(read_table(tmp_path / "one"), frame)
