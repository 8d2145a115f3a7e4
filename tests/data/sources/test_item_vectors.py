"""Vectors of somebody's own beside the tables: both forms, and one line for what is wrong with them."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from pipeline.common.config import validated
from pipeline.common.errors import InputError
from pipeline.data.item_vectors import rows_of_items
from pipeline.data.sources import SourceConfig
from pipeline.data.sources.item_vectors import vectors_in
from tests.parameters.data_check.worlds import write

IDS = pl.Series("item_id", [f"i{item}" for item in range(4)])
ROWS = [[1.0, 2.0], [3.0, 4.5], [0.0, -1.0], [7.0, 8.0]]


def parquet(path: Path, ids: list[object], rows: list[object], kind: pl.DataType | None = None) -> None:
    pl.DataFrame({"item_id": ids, "vector": pl.Series(rows, dtype=kind)}).write_parquet(path)


@pytest.mark.parametrize("kind", [pl.List(pl.Float64), pl.Array(pl.Float32, 2), pl.List(pl.Float32)])
def test_parquet_by_ids(tmp_path: Path, kind: pl.DataType) -> None:
    parquet(tmp_path / "audio.parquet", ["i2", "i0", "i9", "i1", "i3"], [*ROWS[:3], None, ROWS[3]], kind)
    table, remarks = vectors_in(tmp_path, ["audio"], IDS)
    assert table.to_dict(as_series=False) == {"item_id": ["i0", "i2", "i3"], "audio": [ROWS[1], ROWS[0], ROWS[3]]}
    assert table.schema["audio"] == pl.Array(pl.Float32, 2)
    assert [re.sub("^.*: ", "", remark) for remark in remarks] == [
        "1 vectors of items that are not in the data set are left out",
        "1 of 4 items have no vector, and are not known by it",
    ]
    rows = rows_of_items(pl.Series(["i1", "i0", "i2"]), table)["audio"]
    assert rows.dtype == np.float32
    assert rows.tolist() == [[0.0, 0.0], ROWS[1], ROWS[0]]


def test_npy_in_the_order_of_the_items_or_of_the_ids_beside_it(tmp_path: Path) -> None:
    np.save(tmp_path / "mine.npy", np.array(ROWS, dtype=np.float16))
    table, remarks = vectors_in(tmp_path, ["mine"], IDS)
    assert table["mine"].to_list() == ROWS
    assert remarks == []
    (tmp_path / "mine.txt").write_text("i3\ni2\ni1\ni0\n")
    assert vectors_in(tmp_path, ["mine"], IDS)[0]["mine"].to_list() == ROWS[::-1]


def test_several_kinds_stand_side_by_side_of_items_that_have_any(tmp_path: Path) -> None:
    parquet(tmp_path / "audio.parquet", ["i0"], [[1.0]])
    parquet(tmp_path / "mine.parquet", ["i2", "i0"], [[5, 6, 7], [8, 9, 10]])
    table, _ = vectors_in(tmp_path, ["audio", "mine"], IDS)
    assert table.rows() == [("i0", [1.0], [8.0, 9.0, 10.0]), ("i2", None, [5.0, 6.0, 7.0])]
    found = rows_of_items(IDS, table)
    assert found["audio"].tolist() == [[1.0], [0.0], [0.0], [0.0]]
    assert found["mine"][2].tolist() == [5, 6, 7]
    assert vectors_in(tmp_path, [], IDS)[0].columns == ["item_id"]


@pytest.mark.parametrize(
    ("ids", "rows", "said"),
    [
        (["i0", "i1"], [[1.0, 2.0], [3.0]], "column vector, row 1: found 1 numbers, expected 2 as in the first row"),
        (["i0", "i1"], [[1.0, 2.0], [3.0, float("nan")]], "row 1: found nan, expected only finite float32 numbers"),
        (
            ["i0", "i1"],
            [[1e39, 2.0], [3.0, -1e39]],
            "row 0: found 1e+39 (and 1 more rows), expected only finite float32 numbers",
        ),
        (["i0", "i1"], [[1.0, 2.0], [None, 3.0]], "column vector, row 1: found no value in a vector"),
        (["i0", "i0"], [[1.0], [2.0]], "row 1: found item 'i0' a second time, expected it once"),
        (["i0", None], [[1.0], [2.0]], "column item_id, row 1: found no value, expected an id"),
        (["j0", "j1"], [[1.0], [2.0]], "found no item of the data set, the first is 'j0'"),
        (["i0", "i1", "i2"], [None, [1.0], [None]], "column vector, row 2: found no value in a vector"),
        (["i0", "i1", "i2"], [None, [1.0], [2.0, 3.0]], "column vector, row 2: found 2 numbers, expected 1"),
        (["i0", "i1", "i1"], [None, [1.0], [2.0]], "row 2: found item 'i1' a second time"),
        (["i0"], [[]], "column vector: found vectors of 0 numbers, expected 1 to 65,536"),
        (["i0"], ["loud"], "found none with lists of numbers, expected one such column beside item_id"),
        ([], [], "found none with lists of numbers"),
    ],
)
def test_what_is_wrong_in_parquet_is_one_line(tmp_path: Path, ids: list[object], rows: list[object], said: str) -> None:
    file = tmp_path / "audio.parquet"
    parquet(file, ids, rows, pl.List(pl.Float64) if rows == [[]] else None)
    with pytest.raises(InputError, match=re.escape(said)) as error:
        vectors_in(tmp_path, ["audio"], IDS)
    assert str(error.value).startswith(f"{file}: ")


def test_two_columns_of_vectors_are_one_too_many(tmp_path: Path) -> None:
    pl.DataFrame({"item_id": ["i0"], "a": [[1.0]], "b": [[2.0]]}).write_parquet(tmp_path / "audio.parquet")
    with pytest.raises(InputError, match="found a, b with lists of numbers, expected one such column"):
        vectors_in(tmp_path, ["audio"], IDS)


def test_what_is_wrong_in_npy_is_one_line(tmp_path: Path) -> None:
    file = tmp_path / "mine.npy"
    for array, said in (
        (np.zeros((3, 2)), "found 3 rows, expected one for each of the 4 items, or the ids of these rows in mine.txt"),
        (np.zeros(4), "found an array of float64, 4; expected numbers, a row for each item"),
        (np.array([["a"]] * 4), "found an array of <U1, 4 x 1; expected numbers"),
        (np.array([[object()]] * 4), "not a readable npy file: "),
    ):
        np.save(file, array, allow_pickle=True)
        with pytest.raises(InputError, match=re.escape(said)):
            vectors_in(tmp_path, ["mine"], IDS)
    file.write_bytes(b"\x93NUMPY no more")
    with pytest.raises(InputError, match="not a readable npy file: "):
        vectors_in(tmp_path, ["mine"], IDS)
    np.save(file, np.ones((2, 2)))
    (tmp_path / "mine.txt").write_text("i0\n")
    with pytest.raises(InputError, match=r"found 2 rows, expected one for each of the 1 ids in .*mine\.txt"):
        vectors_in(tmp_path, ["mine"], IDS)


def test_a_vector_of_zeros_is_none_and_counted_as_such(tmp_path: Path) -> None:
    np.save(tmp_path / "mine.npy", np.array([[1.0, 0.0], [0.0, 0.0], [1e-60, 0.0], [0.0, 2.0]]))
    table, said = vectors_in(tmp_path, ["mine"], IDS)
    assert table["item_id"].to_list() == [IDS[0], IDS[3]]
    assert said == [f"{tmp_path}/mine.npy: 2 of 4 items have no vector, and are not known by it"]
    np.save(tmp_path / "mine.npy", np.zeros((4, 2)))
    with pytest.raises(InputError, match="found zeros alone, which stand for no vector; expected numbers"):
        vectors_in(tmp_path, ["mine"], IDS)


def test_ids_beside_an_array_are_lines_of_text_as_editors_write_them(tmp_path: Path) -> None:
    ids = pl.Series("item_id", ["i0", "a\u2028b", "i2"])
    np.save(tmp_path / "mine.npy", np.ones((3, 2)))
    (tmp_path / "mine.txt").write_bytes("\ufeffi0\r\na\u2028b\r\ni2\r\n\r\n".encode())
    table, said = vectors_in(tmp_path, ["mine"], ids)
    assert table["item_id"].to_list() == ids.to_list()
    assert said == []
    (tmp_path / "mine.txt").write_text("i0\n\ni2\n")
    with pytest.raises(InputError, match=r"mine\.txt: column item_id, row 1: found no value, expected an id"):
        vectors_in(tmp_path, ["mine"], ids)
    (tmp_path / "mine.txt").write_bytes(b"i0\n\xe9\ni2\n")
    with pytest.raises(InputError, match=r"mine\.txt: line 2: not UTF-8 text"):
        vectors_in(tmp_path, ["mine"], ids)


def test_a_name_stands_for_one_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"found neither, expected one of audio\.parquet and audio\.npy there"):
        vectors_in(tmp_path, ["audio"], IDS)
    parquet(tmp_path / "audio.parquet", ["i0"], [[1.0]])
    np.save(tmp_path / "audio.npy", np.ones((4, 2)))
    with pytest.raises(InputError, match=r"found audio\.parquet and audio\.npy, expected one of"):
        vectors_in(tmp_path, ["audio"], IDS)


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["text"], "source.tables: vectors: found text, which means something else; rename the file"),
        (["audio", "audio"], "vectors: found audio twice, expected each name once"),
        (["../audio"], "vectors"),
    ],
)
def test_names_that_cannot_be_are_refused(names: list[str], said: str) -> None:
    with pytest.raises(InputError, match=re.escape(said.removeprefix("source.tables: "))):
        validated(SourceConfig, {"source": {"type": "tables", "path": "x", "vectors": names}}, "")


def test_a_source_reads_them_beside_its_tables(tmp_path: Path) -> None:
    folder = write(tmp_path / "d")
    np.save(folder / "mine.npy", np.arange(20, dtype=np.float64).reshape(10, 2))
    source = {"type": "tables", "path": str(folder), "vectors": ["mine"]}
    tables = validated(SourceConfig, {"source": source}, "").read()
    assert tables.vectors["item_id"].to_list() == tables.items["item_id"].to_list()
    assert tables.vectors["mine"][9].to_list() == [18.0, 19.0]
