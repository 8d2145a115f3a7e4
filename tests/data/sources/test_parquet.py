from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from pipeline.common.errors import InputError
from pipeline.data.sources.delimited import read_table


def folder_of(folder: Path, *parts: pl.DataFrame, name: str = "part.{}.parquet") -> Path:
    folder.mkdir()
    for number, part in enumerate(parts):
        part.write_parquet(folder / name.format(number))
    return folder


def refused(folder: Path) -> str:
    with pytest.raises(InputError) as error:
        read_table(folder)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_parts_are_one_table_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "t.parquet", *(pl.DataFrame({"a": [number]}) for number in range(12)))
    for hidden in ("_SUCCESS", "_metadata", "._SUCCESS.crc", ".part.0.parquet", "_committed_1"):
        (folder / hidden).write_bytes(b"junk")
    table = read_table(folder)
    assert table.frame["a"].to_list() == list(range(12))
    assert (table.file, table.row(11)) == (str(folder), "row 11")


def test_columns_may_be_in_another_order_and_narrower(tmp_path: Path) -> None:
    first = pl.DataFrame({"a": [1], "b": ["x"]})
    second = pl.DataFrame({"b": [None], "a": pl.Series([2], dtype=pl.Int16)})
    assert read_table(folder_of(tmp_path / "t.parquet", first, second)).frame.rows() == [(1, "x"), (2, None)]


@pytest.mark.parametrize(
    ("second", "message"),
    [
        (pl.DataFrame({"a": [1]}), "/part.1.parquet: found columns a; expected those of part.0.parquet: a, b"),
        (
            pl.DataFrame({"a": [1], "b\nc": [1]}),
            "/part.1.parquet: found columns a, b c; expected those of part.0.parquet: a, b",
        ),
        (
            pl.DataFrame({"a": ["x"], "b": [1]}),
            "/part.1.parquet: column a: found type String, expected Int64 as in part.0.parquet",
        ),
    ],
)
def test_parts_of_different_tables_are_refused(second: pl.DataFrame, message: str, tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "t.parquet", pl.DataFrame({"a": [1], "b": [2]}), second)
    assert refused(folder).startswith(f"{folder}{message}")


def test_a_folder_that_is_more_than_parts_is_refused(tmp_path: Path) -> None:
    part = pl.DataFrame({"a": [1]})
    by_rating = folder_of(tmp_path / "a.parquet", part)
    folder_of(by_rating / "rating=4", part)
    assert refused(by_rating) == (
        f"{by_rating}: found the folder rating=4, expected only parts; write it without partitions (Spark: no partitionBy; Dask: no "
        "partition_on)"
    )
    for name in ("_delta_log", "_temporary"):
        folder = folder_of(tmp_path / f"{name}.parquet", part)
        (folder / name).mkdir()
        assert refused(folder).startswith(f"{folder}: found {name}, expected only parts: ")


def test_a_folder_without_parts_or_with_a_damaged_one_is_refused(tmp_path: Path) -> None:
    empty = folder_of(tmp_path / "a.parquet")
    (empty / "_SUCCESS").touch()
    assert refused(empty) == f"{empty}: found nothing, expected parts that end in .parquet"
    (empty / "part-0.csv").touch()
    assert refused(empty) == f"{empty}: found part-0.csv, expected parts that end in .parquet"
    damaged = folder_of(tmp_path / "b.parquet", pl.DataFrame({"a": [1]}))
    (damaged / "part.1.parquet").write_bytes(b"PAR1")
    assert refused(damaged).startswith(f"{damaged}/part.1.parquet: not a readable Parquet file: ")


def test_a_part_that_is_a_link_to_nowhere_is_named(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "t.parquet", pl.DataFrame({"a": [1]}))
    (folder / "part.1.parquet").symlink_to("nowhere")
    assert refused(folder) == f"{folder}/part.1.parquet: cannot be read: No such file or directory"


def test_parts_of_text_are_refused(tmp_path: Path) -> None:
    folder = tmp_path / "interactions.csv"
    folder.mkdir()
    assert refused(folder) == f"{folder}: found a folder, expected a file; parts are read where they are Parquet"


def test_all_parts_together_must_fit_into_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Equal rows take next to nothing in a file.
    parts = [pl.DataFrame({"a": [1] * 100_000})] * 3
    folder = folder_of(tmp_path / "t.parquet", *parts)
    monkeypatch.setattr("pipeline.common.memory.memory_of_machine", lambda: 10_000_000)
    assert refused(folder).startswith(f"{folder}: found a table that takes some 0.0 GB to read, expected at most")
    (folder / "part.2.parquet").unlink()
    assert len(read_table(folder).frame) == 200_000


def test_elements_of_lists_count_towards_memory_however_little_they_take_in_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "items.parquet"
    pl.DataFrame({"item_id": range(3), "tags": [["a"] * 100_000] * 3}).write_parquet(path)
    assert path.stat().st_size < 10_000
    assert len(read_table(path).frame) == 3
    monkeypatch.setattr("pipeline.common.memory.memory_of_machine", lambda: 10_000_000)
    with pytest.raises(InputError, match=r"items\.parquet: found a table that takes some 0\.0 GB to read"):
        read_table(path)
