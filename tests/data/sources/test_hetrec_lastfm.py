from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.common.config import validated
from pipeline.common.errors import InputError
from pipeline.data.sources import TidyTables
from pipeline.data.sources.hetrec_lastfm import HetrecLastfmSource

FILES = {
    "artists.dat": "id\tname\turl\tpictureURL\n"
    "1\tMALICE MIZER\thttp://www.last.fm/music/MALICE+MIZER\thttp://userserve-ak.last.fm/10808.jpg\n"
    "2\tSigur Rós\thttp://www.last.fm/music/Sigur+R%C3%B3s\t\n"
    '3\t"Weird Al" Yankovic\thttp://www.last.fm/music/Weird\thttp://userserve-ak.last.fm/3.jpg\n',
    "tags.dat": "tagID\ttagValue\n1\tmetal\n2\tgothic japanese\n3\tJ-Rock\n4\tfrançais\n5\tmetal \n",
    "user_artists.dat": "userID\tartistID\tweight\n2\t1\t13883\n2\t2\t1\n3\t2\t40\n3\t3\t7\n",
    "user_taggedartists.dat": "userID\tartistID\ttagID\tday\tmonth\tyear\n"
    "2\t1\t1\t1\t4\t2009\n3\t1\t1\t1\t4\t2009\n4\t1\t1\t1\t4\t2009\n"
    "2\t1\t3\t1\t4\t2009\n3\t1\t3\t1\t4\t2009\n"
    "2\t1\t2\t1\t4\t2009\n2\t1\t2\t1\t5\t2009\n"  # twice by one person
    "2\t2\t4\t1\t4\t2009\n3\t2\t4\t1\t4\t2009\n"
    "2\t99\t1\t1\t4\t2009\n3\t99\t1\t1\t4\t2009\n",  # an artist that artists.dat lacks
}
LATIN = ("tags.dat",)


def folder_of(folder: Path, end: str = "\n", **changed: str) -> Path:
    for name, text in (FILES | {f"{key}.dat": text for key, text in changed.items()}).items():
        (folder / name).write_bytes(text.replace("\n", end).encode("latin-1" if name in LATIN else "utf-8"))
    return folder


def read(path: Path, **settings: object) -> TidyTables:
    return validated(HetrecLastfmSource, {"type": "hetrec-lastfm", "path": str(path), **settings}, "").read()


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_the_files_give_the_tables(tmp_path: Path, end: str) -> None:
    tables = read(folder_of(tmp_path, end))
    assert tables.interactions.select("user_id", "item_id", "like").rows() == [
        ("2", "1", True),
        ("2", "2", True),
        ("3", "2", True),
        ("3", "3", True),
    ]
    assert tables.interactions["rating"].null_count() == 4
    assert tables.items.rows() == [
        ("1", "MALICE MIZER", "metal, j-rock"),
        ("2", "Sigur Rós", "français"),
        ("3", '"Weird Al" Yankovic', None),
    ]
    assert tables.kg.rows() == [
        ("artist:1", "tag", "metal"),
        ("artist:1", "tag", "j-rock"),
        ("artist:2", "tag", "français"),
    ]
    assert tables.item_entities.rows() == [("1", "artist:1"), ("2", "artist:2")]
    assert tables.remarks == []


def test_tags_count_from_so_many_people_on(tmp_path: Path) -> None:
    folder = folder_of(tmp_path)
    assert read(folder, min_taggers=3).kg.rows() == [("artist:1", "tag", "metal")]
    assert read(folder, min_taggers=1).items["tags"][0] == "metal, j-rock, gothic japanese"
    with pytest.raises(InputError, match=r"tags\.dat: found no rows, expected at least one$"):
        read(folder, min_taggers=4)


def test_tags_that_are_spelt_alike_are_one(tmp_path: Path) -> None:
    # Tag 5 is tag 1 with a blank; person 4 gave both.
    more = FILES["user_taggedartists.dat"] + "4\t3\t1\t1\t4\t2009\n4\t3\t5\t1\t4\t2009\n5\t3\t5\t1\t4\t2009\n"
    kg = read(folder_of(tmp_path, user_taggedartists=more), min_taggers=2).kg
    assert ("artist:3", "tag", "metal") in kg.rows()
    kg = read(folder_of(tmp_path, user_taggedartists=more), min_taggers=3).kg
    assert kg.rows() == [("artist:1", "tag", "metal")]


def test_few_plays_are_nothing_or_a_dislike(tmp_path: Path) -> None:
    folder = folder_of(tmp_path)
    tables = read(folder, min_plays=8)
    assert tables.interactions.select("user_id", "item_id", "like").rows() == [("2", "1", True), ("3", "2", True)]
    assert tables.remarks == [f"{folder}/user_artists.dat: 2 artists played less than 8 times are left out"]
    assert tables.feedback == "liked"
    tables = read(folder, min_plays=8, fewer_plays="dislike")
    assert tables.interactions["like"].to_list() == [True, False, True, False]
    assert tables.feedback == "rated"
    assert tables.remarks == []


def test_plays_of_unknown_artists_and_repeated_ones(tmp_path: Path) -> None:
    plays = FILES["user_artists.dat"] + "3\t99\t5\n2\t1\t1\n"
    folder = folder_of(tmp_path, user_artists=plays)
    tables = read(folder, min_plays=5, fewer_plays="dislike")
    assert {row[:2]: row[3] for row in tables.interactions.iter_rows()} == {
        ("2", "1"): False,
        ("2", "2"): False,
        ("3", "2"): True,
        ("3", "3"): True,
    }
    assert [remark.split(": ")[1] for remark in tables.remarks] == [
        f"1 of 6 interactions with items that {folder}/artists.dat lacks are left out",
        "1 repeated interactions",
    ]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("user_artists", "userID\tartistID\tweight\n2\t1\n", "user_artists.dat: line 2: found 2 fields, expected 3"),
        (
            "user_artists",
            "userID\tartistID\tweight\n2\t1\tmany\n",
            "user_artists.dat: column plays, line 2: found 'many', expected a whole number",
        ),
        (
            "user_artists",
            "user\tartistID\tweight\n",
            "user_artists.dat: line 1: found user, artistID, weight, expected a",
        ),
        (
            "user_taggedartists",
            "userID\tartistID\ttagID\tday\tmonth\tyear\n2\t1\tx\t1\t4\t2009\n",
            "user_taggedartists.dat: column tag_id, line 2: found 'x', expected a whole number",
        ),
        ("artists", "id\tname\n1\n", "artists.dat: line 2: found 1 fields, expected 2"),
        (
            "artists",
            "name\tid\nA\t1\n",
            "artists.dat: line 1: found name, id, expected a header that starts with id, name",
        ),
        ("tags", "tagID\ttagValue\n\tmetal\n", "tags.dat: column tagID, line 2: found no value, expected an id"),
    ],
)
def test_a_mistake_is_named_by_file_and_line(tmp_path: Path, name: str, text: str, message: str) -> None:
    folder = folder_of(tmp_path, **{name: text})
    with pytest.raises(InputError) as error:
        read(folder)
    assert str(error.value).removeprefix(f"{folder}/").startswith(message)


def test_an_artist_without_a_name_has_none(tmp_path: Path) -> None:
    artists = FILES["artists.dat"] + "5\t \tu\tp\n"
    assert read(folder_of(tmp_path, artists=artists)).items.row(-1) == ("5", None, None)
