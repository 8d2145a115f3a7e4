from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.common.errors import InputError
from pipeline.data.sources.atomic import AtomicSource, atomic_table

FILES = {
    ".inter": "user_id:token\titem_id:token\trating:float\ttimestamp:float\n1\t10\t4\t100\n2\t20\t2\t200\n",
    ".item": 'item_id:token\tmovie_title:token_seq\n10\t"Crocodile" Dundee\n20\t5" Tall\n30\tUnseen\n',
    ".kg": "head_id:token\trelation_id:token\ttail_id:token\nm.1\tfilm.genre\tm.3\nm.2\tfilm.genre\tm.3\n",
    ".link": "item_id:token\tentity_id:token\n10\tm.1\n20\tm.2\n",
}


def folder_of(folder: Path, **changed: str | None) -> Path:
    folder.mkdir(exist_ok=True)
    for ending, text in (FILES | {f".{name}": text for name, text in changed.items()}).items():
        if text is not None:
            (folder / f"films{ending}").write_text(text, encoding="utf-8")
    return folder


def source(folder: Path, **rename: str) -> AtomicSource:
    return AtomicSource(type="atomic", path=str(folder), rename=rename)


def test_the_four_files_give_the_four_tables(tmp_path: Path) -> None:
    tables = source(folder_of(tmp_path)).read()
    assert tables.interactions.rows() == [("1", "10", 4.0, None, 100.0, None), ("2", "20", 2.0, None, 200.0, None)]
    assert tables.items.columns == ["item_id", "movie_title"]
    assert tables.items.rows() == [("10", '"Crocodile" Dundee'), ("20", '5" Tall'), ("30", "Unseen")]
    assert tables.kg.columns == ["head", "relation", "tail"]
    assert tables.kg.rows() == [("m.1", "film.genre", "m.3"), ("m.2", "film.genre", "m.3")]
    assert tables.item_entities.rows() == [("10", "m.1"), ("20", "m.2")]
    assert tables.remarks == []


def test_windows_line_ends_give_the_same_tables(tmp_path: Path) -> None:
    folder = folder_of(tmp_path)
    tables = source(folder).read()
    for path in folder.iterdir():
        path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert source(folder).read().items.equals(tables.items)


def test_without_an_item_file_the_items_are_those_of_the_interactions(tmp_path: Path) -> None:
    interactions = FILES[".inter"] + "3\t10\t5\t300\n"
    tables = source(folder_of(tmp_path, item=None, inter=interactions)).read()
    assert tables.items.columns == ["item_id"]
    assert tables.items["item_id"].to_list() == ["10", "20"]


def test_without_an_item_file_mistakes_in_the_interactions_are_still_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"films\.inter: column item_id: not found; the file has: user_id, rating$"):
        source(folder_of(tmp_path, item=None, inter="user_id:token\trating:float\n1\t4\n")).read()
    missing = FILES[".inter"] + "3\t\t5\t300\n"
    with pytest.raises(InputError, match=r"films\.inter: column item_id, line 4: found no value, expected an id$"):
        source(folder_of(tmp_path, item=None, inter=missing)).read()


def test_links_of_items_that_the_data_set_lacks_are_left_out_with_a_remark(tmp_path: Path) -> None:
    tables = source(folder_of(tmp_path, link=FILES[".link"] + "99\tm.9\n")).read()
    assert tables.item_entities.rows() == [("10", "m.1"), ("20", "m.2")]
    (remark,) = tables.remarks
    assert remark.endswith("films.link: 1 links of items that are not in the data set are left out")


def test_an_interaction_with_an_item_that_the_item_file_lacks_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"films\.inter: column item_id, line 4: found item '99', .*films\.item$"):
        source(folder_of(tmp_path, inter=FILES[".inter"] + "1\t99\t5\t300\n")).read()


@pytest.mark.parametrize("field", ["item_id", "item_id:", "item_id:str", ":", "item_id:TOKEN"])
def test_a_header_field_without_a_known_type_is_shown(field: str) -> None:
    with pytest.raises(
        InputError, match=rf"^f\.item: line 1: found header field '{field}', expected NAME:TYPE with TYPE one of token,"
    ):
        atomic_table(f"{field}\ttitle:token_seq\n1\tx\n".encode(), "f.item")


def test_the_type_is_what_stands_behind_the_last_colon() -> None:
    assert atomic_table(b"a:b:token\tc:float_seq\n1\t2 3\n", "f").frame.columns == ["a:b", "c"]


@pytest.mark.parametrize("header", ["item_id:token\titem_id:token", "item_id:token\titem_id:float"])
def test_a_name_may_be_there_once(header: str) -> None:
    with pytest.raises(InputError, match=r"^f: .*column item_id.* twice"):
        atomic_table(f"{header}\n1\t2\n".encode(), "f")


def test_columns_may_be_renamed(tmp_path: Path) -> None:
    interactions = FILES[".inter"].replace("rating:", "stars:")
    kg = FILES[".kg"].replace("tail_id:", "object:")
    folder = folder_of(tmp_path, inter=interactions, kg=kg)
    tables = source(folder, stars="rating", object="tail").read()
    assert tables.interactions["rating"].to_list() == [4.0, 2.0]
    assert tables.kg.columns == ["head", "relation", "tail"]


def test_ratings_that_are_none_are_left_out_with_a_remark(tmp_path: Path) -> None:
    folder = folder_of(tmp_path)
    tables = AtomicSource(type="atomic", path=str(folder), not_rated=[2]).read()
    assert tables.interactions["rating"].to_list() == [4.0]
    assert tables.remarks == [
        f"{folder}/films.inter: 1 of 2 interactions are left out, because their rating 2 says that nobody rated (not_rated)"
    ]


@pytest.mark.parametrize("ending", [".inter", ".kg", ".link"])
def test_a_missing_file_and_a_second_one_are_named(tmp_path: Path, ending: str) -> None:
    folder = folder_of(tmp_path)
    (folder / f"more{ending}").write_text(FILES[ending])
    with pytest.raises(
        InputError, match=rf"\*{ending}: found films{ending}, more{ending}, expected exactly one such file$"
    ):
        source(folder).read()
    (folder / f"more{ending}").unlink()
    (folder / f"films{ending}").unlink()
    with pytest.raises(InputError, match=rf"\*{ending}: found none, expected exactly one such file$"):
        source(folder).read()


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere: folder not found; expected RecBole's \.inter, \.kg, \.link"):
        source(tmp_path / "nowhere").read()


def test_a_short_line_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"films\.kg: line 4: found 2 fields, expected 3 as in the header$"):
        source(folder_of(tmp_path, kg=FILES[".kg"] + "m.1\tfilm.genre\n")).read()
