from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.common.config import validated
from pipeline.common.errors import InputError
from pipeline.data.sources import TidyTables
from pipeline.data.sources.kgcn import KgcnSource

LINKS = "10\t0\n20\t1\n30\t2\n"
KG = "0\tfilm.film.writer\t7\n1\tfilm.film.writer\t7\n2\tfilm.film.genre\t8\n9\tfilm.film.sequel\t0\n"
TRIPLES = [tuple(line.split("\t")) for line in KG.splitlines()]
# User 1 likes item 10, user 2 has to do with 20 and 99, of which the links say nothing.
CSV = "userId,movieId,rating,timestamp\n1,10,5.0,7\n2,20,3.0,8\n2,99,4.0,9\n"
DAT = "1::10::5::7\n2::20::3::8\n2::99::4::9\n"
PLAYS = "userID\tartistID\tweight\n1\t10\t5\n2\t20\t3\n2\t99\t4\n"
BOOKS = '"User-ID";"ISBN";"Book-Rating"\n"1";"10";"5"\n"2";"20";"3"\n"2";"99";"4"\n"2";"30";"0"\n'
FINAL = "0\t0\t1\n0\t2\t0\n1\t1\t1\n1\t0\t0\n"


def folder_of(folder: Path, **files: str) -> Path:
    """Files by their names, a dot written as two underscores."""
    folder.mkdir(exist_ok=True)
    for name, text in files.items():
        (folder / name.replace("__", ".").replace("BX_Book_", "BX-Book-")).write_bytes(text.encode())
    return folder


def raw(folder: Path, **files: str) -> Path:
    return folder_of(folder, **({"item_index2entity_id__txt": LINKS, "kg__txt": KG} | files))


def read(path: Path, **settings: str) -> TidyTables:
    return validated(KgcnSource, {"type": "kgcn", "path": str(path), **settings}, "").read()


RAW = {"ratings__csv": CSV, "ratings__dat": DAT, "user_artists__dat": PLAYS, "BX_Book_Ratings__csv": BOOKS}


@pytest.mark.parametrize("name", RAW)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_every_kind_of_ratings_goes_with_links_and_triples(tmp_path: Path, name: str, end: str) -> None:
    files = {"item_index2entity_id__txt": LINKS, "kg__txt": KG, name: RAW[name]}
    tables = read(folder_of(tmp_path, **{key: text.replace("\n", end) for key, text in files.items()}))
    assert [row[:4] for row in tables.interactions.iter_rows()] == [("1", "10", 5.0, None), ("2", "20", 3.0, None)]
    assert tables.items.rows() == [("10",), ("20",), ("30",)]
    assert tables.item_entities.rows() == [("10", "0"), ("20", "1"), ("30", "2")]
    assert tables.kg.rows() == TRIPLES
    assert any("1 of 3 interactions with items that" in remark for remark in tables.remarks)
    assert any("no file of titles next to it" in remark for remark in tables.remarks)
    assert tables.feedback == ("liked" if name == "user_artists__dat" else "rated")


def test_the_rehashed_names_of_ripplenet_are_known(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, ratings__dat=DAT, item_index2entity_id_rehashed__txt=LINKS, kg_rehashed__txt=KG)
    assert read(folder).kg.rows() == TRIPLES


def test_most_ratings_may_be_of_items_that_have_no_link(tmp_path: Path) -> None:
    more = "".join(f"1::{item}::4::1\n" for item in range(100, 150))
    assert len(read(raw(tmp_path, ratings__dat=DAT + more)).interactions) == 2
    with pytest.raises(InputError, match=r"found 50 of 50 interactions with items that \S+ lacks, expected most"):
        read(raw(tmp_path, ratings__dat=more))


def test_zeros_of_book_crossing_are_left_out_or_likes(tmp_path: Path) -> None:
    folder = raw(tmp_path, BX_Book_Ratings__csv=BOOKS)
    assert len(read(folder).interactions) == 2
    assert ("2", "30", 10.0) in [row[:3] for row in read(folder, implicit="like").interactions.iter_rows()]


def test_isbns_of_links_and_ratings_meet_whatever_their_case(tmp_path: Path) -> None:
    books = BOOKS.replace('"10"', '"034545104X"')
    folder = raw(tmp_path, BX_Book_Ratings__csv=books, item_index2entity_id__txt=LINKS.replace("10\t", "034545104x\t"))
    tables = read(folder)
    assert tables.interactions["item_id"].to_list() == ["034545104X", "20"]
    assert tables.item_entities.row(0) == ("034545104X", "0")


def test_titles_are_those_of_a_file_beside_it(tmp_path: Path) -> None:
    films = {"movies__dat": "20::Heat (1995)::Crime|Drama\n10::Emma (1996)::Comedy\n77::Alien (1979)::Horror\n"}
    tables = read(raw(tmp_path / "films", ratings__dat=DAT, **films))
    assert tables.items.rows() == [
        ("10", "Emma", 1996, "Comedy"),
        ("20", "Heat", 1995, "Crime, Drama"),
        ("30", None, None, None),
    ]
    artists = {"artists__dat": "id\tname\turl\tpictureURL\n10\tSigur Rós\tu\tp\n"}
    tables = read(raw(tmp_path / "artists", user_artists__dat=PLAYS, **artists))
    assert tables.items.rows() == [("10", "Sigur Rós"), ("20", None), ("30", None)]
    header = "ISBN,Book-Title,Book-Author,Year-Of-Publication,Publisher\n"
    tables = read(
        raw(tmp_path / "books", BX_Book_Ratings__csv=BOOKS, Books__csv=header + "20,Emma,Jane Austen,1815,J\n")
    )
    assert tables.items.row(1) == ("20", "Emma", "Jane Austen", 1815, "J")


def test_the_files_that_their_programs_write_have_items_that_are_entities(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, ratings_final__txt=FINAL, kg_final__txt="0\t0\t7\n1\t0\t7\n2\t1\t8\n")
    tables = read(folder)
    assert [(row[0], row[1], row[3]) for row in tables.interactions.iter_rows()] == [
        ("0", "0", True),
        ("0", "2", False),
        ("1", "1", True),
        ("1", "0", False),
    ]
    assert tables.item_entities.rows() == [("0", "0"), ("1", "1"), ("2", "2")]
    assert tables.kg.rows() == [("0", "0", "7"), ("1", "0", "7"), ("2", "1", "8")]
    assert tables.remarks == [
        f"{folder}/ratings_final.txt: 2 zeros were sampled by its publisher: they need `feedback: sampled`"
    ]
    assert tables.feedback == "sampled"


def test_items_of_final_files_are_the_lines_of_the_links(tmp_path: Path) -> None:
    films = "20::Heat (1995)::Crime\n30::Emma (1996)::Comedy\n"
    folder = folder_of(
        tmp_path,
        ratings_final__txt=FINAL.replace("\t2\t", "\t1\t"),
        kg_final__txt="0\t0\t7\n",
        item_index2entity_id__txt=LINKS,
        movies__dat=films,
    )
    tables = read(folder)
    assert tables.items.select("item_id", "title").rows() == [("0", None), ("1", "Heat"), ("2", "Emma")]
    assert tables.item_entities.rows() == [("0", "0"), ("1", "1"), ("2", "2")]


def test_ratings_as_published_come_before_what_a_program_made_of_them(tmp_path: Path) -> None:
    folder = raw(tmp_path, ratings__dat=DAT, ratings_final__txt=FINAL, kg_final__txt="0\t0\t7\n")
    assert read(folder).interactions["rating"].to_list() == [5.0, 3.0]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("kg__txt", "0\tr\t7\n1\t7\n", "kg.txt: line 2: found 2 fields, expected 3"),
        ("kg__txt", "0\tr\t7\n1\t\t7\n", "kg.txt: column relation, line 2: found '', expected a value"),
        ("item_index2entity_id__txt", "10\t0\n20 1\n", "item_index2entity_id.txt: line 2: found 1 fields, expected 2"),
        (
            "ratings__dat",
            "1::10::5::7\n2::x::5::7\n",
            "ratings.dat: column item_id, line 2: found 'x', expected a whole",
        ),
        ("kg__txt", "", "kg.txt: found an empty file"),
    ],
)
def test_a_mistake_is_named_by_file_and_line(tmp_path: Path, name: str, text: str, message: str) -> None:
    folder = raw(tmp_path, **({"ratings__dat": DAT} | {name: text}))
    with pytest.raises(InputError) as error:
        read(folder)
    assert str(error.value).removeprefix(f"{folder}/").startswith(message)


def test_a_label_that_is_neither_0_nor_1_is_named(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, ratings_final__txt=FINAL + "3\t1\t4\n", kg_final__txt="0\t0\t7\n")
    with pytest.raises(InputError, match=r"ratings_final\.txt: column like, line 5: found 4, expected 0, 1, true"):
        read(folder)


def test_missing_files_are_named(tmp_path: Path) -> None:
    message = (
        r"found item_index2entity_id\.txt, kg\.txt; expected ratings\.csv or ratings\.dat or user_artists\.dat or BX"
    )
    with pytest.raises(InputError, match=message):
        read(raw(tmp_path))
    (tmp_path / "kg.txt").unlink()
    with pytest.raises(InputError, match=r"found \S+, ratings\.dat; expected kg\.txt or kg_rehashed\.txt there$"):
        read(folder_of(tmp_path, ratings__dat=DAT))
