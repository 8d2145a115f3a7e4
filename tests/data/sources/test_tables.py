from __future__ import annotations

import gzip
import os
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from pipeline.common.errors import InputError
from pipeline.data.sources.files import UNWATCHED
from pipeline.data.sources.tables import TablesSource

TABLES = {
    "interactions": pl.DataFrame(
        {"user_id": [1, 1, 2], "item_id": [10, 20, 10], "rating": [4.0, 2.5, 5.0], "timestamp": [30, 10, 20]}
    ),
    "items": pl.DataFrame({"item_id": [10, 20], "title": ['Heat, "the film"', None], "year": [1995, 1996]}),
    "kg": pl.DataFrame({"head": ["m.1", "m.2"], "relation": ["genre", "genre"], "tail": ["m.3", "m.3"]}),
    "item_entities": pl.DataFrame({"item_id": [10, 20], "entity_id": ["m.1", "m.2"]}),
}


def folder_of(folder: Path, ending: str, **changed: pl.DataFrame) -> Path:
    folder.mkdir(exist_ok=True)
    for name, frame in (TABLES | changed).items():
        path = folder / f"{name}{ending}"
        if ending == ".parquet":
            frame.write_parquet(path)
        else:
            frame.write_csv(path, separator="," if ending == ".csv" else "\t")
    return folder


def source(folder: Path, **rename: str) -> TablesSource:
    return TablesSource(type="tables", path=str(folder), rename=rename)


def test_parquet_csv_and_tsv_give_the_same_tables(tmp_path: Path) -> None:
    parquet, csv, tsv = (
        source(folder_of(tmp_path / ending[1:], ending)).read() for ending in (".parquet", ".csv", ".tsv")
    )
    for other in (csv, tsv):
        for name in ("interactions", "kg", "item_entities"):
            assert_frame_equal(getattr(other, name), getattr(parquet, name))
        # Text files do not say what is a number: other columns of items stay as they are read.
        assert_frame_equal(other.items, parquet.items.cast(pl.String))
    assert parquet.interactions.row(0) == ("1", "10", 4.0, None, 30.0, None)
    assert parquet.feedback is None
    assert parquet.items.row(0) == ("10", 'Heat, "the film"', 1995)


def other_form(folder: Path, ending: str, **changed: pl.DataFrame) -> Path:
    folder.mkdir()
    for name, frame in (TABLES | changed).items():
        path = folder / f"{name}{ending}"
        if ending == ".parquet":
            path.mkdir()
            (path / "_SUCCESS").touch()
            (path / "._SUCCESS.crc").touch()
            # An empty part among the others, as Spark writes them.
            for number, part in enumerate([frame[:1], frame[:0], frame[1:]]):
                part.write_parquet(path / f"part-0000{number}-c000.snappy.parquet", compression="snappy")
            continue
        text = frame.write_ndjson() if "json" in ending else frame.write_csv(separator="\t" if "tsv" in ending else ",")
        path.write_bytes(gzip.compress(text.encode()) if ending.endswith(".gz") else text.encode())
    return folder


@pytest.mark.parametrize("ending", [".parquet", ".jsonl", ".csv.gz", ".tsv.gz", ".jsonl.gz"])
def test_parts_json_lines_and_packed_files_give_the_same_tables(ending: str, tmp_path: Path) -> None:
    found = source(other_form(tmp_path / "a", ending)).read()
    plain = source(folder_of(tmp_path / "b", ".parquet")).read()
    for name in ("interactions", "kg", "item_entities"):
        assert_frame_equal(getattr(found, name), getattr(plain, name))
    assert_frame_equal(found.items.cast(pl.String), plain.items.cast(pl.String))


def test_what_lies_beside_a_plain_file_is_not_read(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "a", ".csv")
    (folder / "kg.csv.gz").write_bytes(b"junk")
    (folder / "items.parquet").mkdir()
    (folder / "items.jsonl").write_text("junk")
    assert source(folder).read().kg.equals(TABLES["kg"])
    for path in (folder / "kg.csv", folder / "items.csv"):
        path.unlink()
    with pytest.raises(InputError, match=r"table items: found items\.parquet and items\.jsonl, expected one of"):
        source(folder).read()


def test_a_mistake_in_parts_json_lines_and_packed_files_is_named_by_its_place(tmp_path: Path) -> None:
    wrong = TABLES["interactions"].with_columns(rating=pl.Series(["4", "x", "5"]))
    for ending, place in ((".parquet", "row 1"), (".jsonl", "line 2"), (".csv.gz", "line 3"), (".jsonl.gz", "line 2")):
        with pytest.raises(
            InputError, match=rf"/interactions{ending}: column rating, {place}: found 'x', expected a number$"
        ):
            source(other_form(tmp_path / ending[1:], ending, interactions=wrong)).read()


def test_endings_may_be_mixed(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, ".parquet")
    (folder / "kg.parquet").unlink()
    TABLES["kg"].write_csv(folder / "kg.csv")
    assert source(folder).read().kg.equals(TABLES["kg"])


def test_columns_may_be_renamed(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, ".csv", interactions=TABLES["interactions"].rename({"user_id": "userId"}))
    assert source(folder, userId="user_id").read().interactions["user_id"].to_list() == ["1", "1", "2"]
    with pytest.raises(InputError, match="column user_id: not found; the file has: userId, item_id, rating, timestamp"):
        source(folder).read()


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere: folder not found; expected interactions, items, kg, item_entities"):
        source(tmp_path / "nowhere").read()
    (tmp_path / "a.zip").touch()
    with pytest.raises(InputError, match=r"a\.zip: found a file; expected interactions, items, kg, item_entities"):
        source(tmp_path / "a.zip").read()


def test_a_missing_table_and_one_that_is_there_twice_are_named(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, ".csv")
    TABLES["kg"].write_parquet(folder / "kg.parquet")
    with pytest.raises(
        InputError, match=r"table kg: found kg\.parquet and kg\.csv, expected one of kg\.parquet, kg\.csv"
    ):
        source(folder).read()
    (folder / "kg.parquet").unlink()
    (folder / "kg.csv").unlink()
    with pytest.raises(
        InputError,
        match=r"kg: found nothing, expected one of kg\.parquet, kg\.csv, kg\.tsv, or \.jsonl, \.csv\.gz, \.tsv\.gz, \.jsonl\.gz, \.nt, ",
    ):
        source(folder).read()


def test_mistakes_are_named_by_file_column_and_line_or_row(tmp_path: Path) -> None:
    wrong = TABLES["interactions"].with_columns(rating=pl.Series(["4", "x", "5"]))
    with pytest.raises(InputError, match=r"/interactions\.csv: column rating, line 3: found 'x', expected a number$"):
        source(folder_of(tmp_path / "a", ".csv", interactions=wrong)).read()
    with pytest.raises(
        InputError, match=r"/interactions\.parquet: column rating, row 1: found 'x', expected a number$"
    ):
        source(folder_of(tmp_path / "b", ".parquet", interactions=wrong)).read()


def test_links_of_unknown_items_are_a_mistake(tmp_path: Path) -> None:
    links = TABLES["item_entities"].with_columns(item_id=pl.Series([10, 99]))
    with pytest.raises(InputError, match=r"/item_entities\.tsv: column item_id, line 3: found item '99'"):
        source(folder_of(tmp_path, ".tsv", item_entities=links)).read()


def test_a_name_to_rename_that_no_file_has_is_a_mistake(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "data", ".csv")
    with pytest.raises(
        InputError, match=r"^source.rename: found 'titel', expected some of the files' columns: .*title"
    ):
        source(folder, titel="name").read()


def test_facts_stand_for_the_tables_of_the_graph(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, ".csv")
    facts = TablesSource(type="tables", path=str(folder), rename={"year": "made"}, facts=["made"])
    with pytest.raises(InputError, match=r"found kg\.csv and the facts made, expected one of the two"):
        facts.read()
    for name in ("kg", "item_entities"):
        (folder / f"{name}.csv").unlink()
    found = facts.read()
    assert found.kg.rows() == [("10", "made", "1995"), ("20", "made", "1996")]
    assert found.item_entities.rows() == [("10", "10"), ("20", "20")]
    with pytest.raises(InputError, match=r"source\.facts: found 'year', expected columns of .*items\.csv: title, made"):
        facts.model_copy(update={"facts": ["year"]}).read()


@pytest.mark.parametrize(
    ("kind", "what"), [("link", "a link that leads nowhere"), ("pipe", "something that is not a file")]
)
@pytest.mark.parametrize("name", ["kg.csv", "items.jsonl.gz", "interactions.csv"])
def test_a_table_that_is_no_file_is_no_missing_table(tmp_path: Path, name: str, kind: str, what: str) -> None:
    """Else the graph of a disk that is not there would be none."""
    folder_of(tmp_path, ".csv")
    for path in tmp_path.glob(f"{name.partition('.')[0]}.*"):
        path.unlink()
    (tmp_path / name).symlink_to("nowhere") if kind == "link" else os.mkfifo(tmp_path / name)
    with pytest.raises(InputError) as error:
        source(tmp_path).read()
    assert str(error.value).startswith(f"{tmp_path / name}: found {what}")


def test_parts_behind_a_link_to_a_folder_are_refused(tmp_path: Path) -> None:
    """DVC does not look there: a change of the parts would run nothing again."""
    data = tmp_path / "data"
    data.mkdir()
    folder_of(data, ".parquet")
    parts = tmp_path / "parts.parquet"
    parts.mkdir()
    (data / "interactions.parquet").rename(parts / "part.0.parquet")
    (data / "interactions.parquet").symlink_to(parts)
    with pytest.raises(InputError) as error:
        source(data).read()
    assert str(error.value) == f"{data}/interactions.parquet: {UNWATCHED}"
    # DVC follows a link to a file, and the data set's folder may be a link.
    (data / "interactions.parquet").unlink()
    (data / "interactions.parquet").mkdir()
    (data / "interactions.parquet" / "part.0.parquet").symlink_to(parts / "part.0.parquet")
    (tmp_path / "link").symlink_to(data)
    assert len(source(tmp_path / "link").read().interactions)
