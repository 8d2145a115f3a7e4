from __future__ import annotations

import zipfile
from pathlib import Path

import polars as pl
import pytest

from pipeline.common.config import validated
from pipeline.common.errors import InputError
from pipeline.data.sources.movielens import MovieLensSource, split_title

# Three films, in each layout as GroupLens writes it.
DAT = {
    "ratings.dat": "1::1193::5::978300760\n1::661::3::978302109\n2::1193::4::978298413\n",
    "movies.dat": "661::James and the Giant Peach (1996)::Animation|Children's|Musical\n"
    "1193::One Flew Over the Cuckoo's Nest (1975)::Drama\n"
    "1212::Third Man, The (1949)::Mystery|Thriller\n",
}
CSV = {
    "ratings.csv": "userId,movieId,rating,timestamp\n1,1193,5.0,978300760\n1,661,3.0,978302109\n2,1193,4.0,978298413\n",
    "movies.csv": "movieId,title,genres\n"
    "661,James and the Giant Peach (1996),Animation|Children's|Musical\n"
    "1193,One Flew Over the Cuckoo's Nest (1975),Drama\n"
    '1212,"Third Man, The (1949)",Mystery|Thriller\n',
}
GENRES_100K = ("unknown", "Animation", "Children's", "Drama", "Musical", "Mystery", "Thriller")
OLD = {
    "u.data": "1\t1193\t5\t978300760\n1\t661\t3\t978302109\n2\t1193\t4\t978298413\n",
    # The real file ends with a blank line.
    "u.genre": "".join(f"{name}|{place}\n" for place, name in enumerate(GENRES_100K)) + "\n",
    "u.item": "661|James and the Giant Peach (1996)|12-Apr-1996||http://us.imdb.com/M/title-exact?James|0|1|1|0|1|0|0\n"
    "1193|One Flew Over the Cuckoo's Nest (1975)|01-Jan-1975||http://us.imdb.com/M/title-exact?One|0|0|0|1|0|0|0\n"
    "1212|Third Man, The (1949)|01-Jan-1949||http://us.imdb.com/M/title-exact?Third|0|0|0|0|0|1|1\n",
}


def folder_of(folder: Path, files: dict[str, str], encoding: str = "utf-8") -> Path:
    folder.mkdir(exist_ok=True)
    for name, text in files.items():
        (folder / name).write_bytes(text.encode(encoding))
    return folder


def source(path: Path, **settings: str) -> MovieLensSource:
    return validated(MovieLensSource, {"type": "movielens", "path": str(path), **settings}, "")


def refused(path: Path) -> str:
    with pytest.raises(InputError) as error:
        source(path).read()
    assert "\n" not in str(error.value)
    return str(error.value).removeprefix(f"{path}/")


@pytest.mark.parametrize("files", [DAT, CSV, OLD], ids=["dat", "csv", "old"])
def test_every_layout_gives_the_same_tables(tmp_path: Path, files: dict[str, str]) -> None:
    tables = source(folder_of(tmp_path, files, "latin-1")).read()
    assert tables.interactions.rows() == [
        ("1", "1193", 5.0, None, 978300760.0, None),
        ("1", "661", 3.0, None, 978302109.0, None),
        ("2", "1193", 4.0, None, 978298413.0, None),
    ]
    assert tables.items.columns == ["item_id", "title", "year", "genres"]
    assert tables.items.rows() == [
        ("661", "James and the Giant Peach", 1996, "Animation, Children's, Musical"),
        ("1193", "One Flew Over the Cuckoo's Nest", 1975, "Drama"),
        ("1212", "Third Man, The", 1949, "Mystery, Thriller"),
    ]
    assert sorted(tables.kg.rows()) == [
        ("movie:1193", "decade", "1970s"),
        ("movie:1193", "genre", "Drama"),
        ("movie:1193", "year", "1975"),
        ("movie:1212", "decade", "1940s"),
        ("movie:1212", "genre", "Mystery"),
        ("movie:1212", "genre", "Thriller"),
        ("movie:1212", "year", "1949"),
        ("movie:661", "decade", "1990s"),
        ("movie:661", "genre", "Animation"),
        ("movie:661", "genre", "Children's"),
        ("movie:661", "genre", "Musical"),
        ("movie:661", "year", "1996"),
    ]
    assert tables.item_entities.rows() == [("661", "movie:661"), ("1193", "movie:1193"), ("1212", "movie:1212")]
    assert tables.remarks == []


@pytest.mark.parametrize("files", [DAT, CSV, OLD], ids=["dat", "csv", "old"])
def test_windows_line_ends_and_a_zip_change_nothing(tmp_path: Path, files: dict[str, str]) -> None:
    expected = source(folder_of(tmp_path / "plain", files)).read()
    with zipfile.ZipFile(tmp_path / "ml.zip", "w") as archive:
        for name, text in files.items():
            archive.writestr(f"ml/{name}", text.replace("\n", "\r\n"))
    tables = source(tmp_path / "ml.zip").read()
    for name in ("interactions", "items", "kg", "item_entities"):
        assert getattr(tables, name).equals(getattr(expected, name))


@pytest.mark.parametrize(
    ("encoding", "title"), [("latin-1", "Léon"), ("utf-8", "Léon"), ("utf-8", "悪い奴ほどよく眠る")]
)
def test_dat_files_are_latin_1_as_1m_or_utf_8_as_10m(tmp_path: Path, encoding: str, title: str) -> None:
    movies = DAT["movies.dat"] + f"9::{title} (1994)::Drama\n"
    tables = source(folder_of(tmp_path, DAT | {"movies.dat": movies}, encoding)).read()
    assert tables.items.row(-1) == ("9", title, 1994, "Drama")


def test_the_old_layout_is_latin_1_and_csv_is_utf_8(tmp_path: Path) -> None:
    item = OLD["u.item"].replace("Third Man, The", "Misérables, Les")
    folder = folder_of(tmp_path / "old", OLD | {"u.item": item}, "latin-1")
    assert source(folder).read().items["title"][2] == "Misérables, Les"
    movies = CSV["movies.csv"].replace("Third", "Thïrd")
    assert (
        source(folder_of(tmp_path / "utf", CSV | {"movies.csv": movies})).read().items["title"][2] == "Thïrd Man, The"
    )
    folder = folder_of(tmp_path / "csv", CSV | {"movies.csv": movies}, "latin-1")
    assert refused(folder) == "movies.csv: line 4: not UTF-8 text; expected the file in UTF-8"


def test_half_stars_are_read_in_both_layouts(tmp_path: Path) -> None:
    dat = folder_of(tmp_path / "dat", DAT | {"ratings.dat": DAT["ratings.dat"].replace("::5::", "::4.5::")})
    csv = folder_of(tmp_path / "csv", CSV | {"ratings.csv": CSV["ratings.csv"].replace(",5.0,", ",4.5,")})
    for folder in (dat, csv):
        assert source(folder).read().interactions["rating"].to_list() == [4.5, 3.0, 4.0]


def test_commas_and_quotes_in_quoted_titles_are_read(tmp_path: Path) -> None:
    movies = CSV["movies.csv"] + '7,"""Great Performances"" Cats, the (1998)",Musical\n'
    films = source(folder_of(tmp_path, CSV | {"movies.csv": movies})).read().items
    assert films.row(-1) == ("7", '"Great Performances" Cats, the', 1998, "Musical")


@pytest.mark.parametrize(
    ("written", "title", "year"),
    [
        ("Toy Story (1995)", "Toy Story", 1995),
        ("Babylon 5", "Babylon 5", None),
        ("unknown", "unknown", None),
        ("Fawlty Towers (1975-1979) ", "Fawlty Towers", 1975),
        ("Death Note (2006–2007)", "Death Note", 2006),
        ("Unfinished (2009-)", "Unfinished", 2009),
        (
            "Lost Children, The (Enfants perdus, Les) (1995)",
            "Lost Children, The (Enfants perdus, Les)",
            1995,
        ),
        ("2001 (a space odyssey) (1968)", "2001 (a space odyssey)", 1968),
        ("Land Before Time III (1995) (V)", "Land Before Time III", 1995),
        ("Star Wars: Episode IV - A New Hope(1977)", "Star Wars: Episode IV - A New Hope", 1977),
        ("(1995)", "(1995)", None),
        ("Room (19955)", "Room (19955)", None),
        ("  ", None, None),
    ],
)
def test_title_and_year_are_split_apart(written: str, title: str | None, year: int | None) -> None:
    assert split_title(written) == (title, year)


def test_a_film_without_year_and_genres_is_linked_to_nothing(tmp_path: Path) -> None:
    old = OLD["u.item"] + "267|unknown||||1|0|0|0|0|0|0\n"
    new = CSV["movies.csv"] + "267,unknown,(no genres listed)\n"
    for folder in (
        folder_of(tmp_path / "a", OLD | {"u.item": old}),
        folder_of(tmp_path / "b", CSV | {"movies.csv": new}),
    ):
        tables = source(folder).read()
        assert tables.items.row(-1) == ("267", "unknown", None, None)
        assert tables.item_entities["item_id"].to_list() == ["661", "1193", "1212"]


def test_a_title_may_have_the_separator_in_it(tmp_path: Path) -> None:
    movies = DAT["movies.dat"] + "9::Mission::Impossible (1996)::Action\n"
    tables = source(folder_of(tmp_path, DAT | {"movies.dat": movies})).read()
    assert tables.items.row(-1) == ("9", "Mission::Impossible", 1996, "Action")


def test_of_repeated_ratings_the_latest_counts(tmp_path: Path) -> None:
    ratings = DAT["ratings.dat"] + "1::1193::1::978300759\n2::1193::2::978298414\n"
    tables = source(folder_of(tmp_path, DAT | {"ratings.dat": ratings})).read()
    assert sorted(tables.interactions.select("user_id", "item_id", "rating").rows()) == [
        ("1", "1193", 5.0),
        ("1", "661", 3.0),
        ("2", "1193", 2.0),
    ]
    assert tables.remarks == [f"{tmp_path}/ratings.dat: 2 repeated interactions: the latest of each counts"]


def test_ratings_of_unknown_films_are_left_out_unless_they_are_most(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, DAT | {"ratings.dat": DAT["ratings.dat"] + "2::9::3::1\n"})
    tables = source(folder).read()
    assert len(tables.interactions) == 3
    said = f"1 of 4 interactions with items that {folder}/movies.dat lacks"
    assert tables.remarks == [f"{folder}/ratings.dat: {said} are left out"]
    folder_of(tmp_path, {"ratings.dat": DAT["ratings.dat"].replace("1193", "8")})
    assert refused(folder).startswith("ratings.dat: found 2 of 3 interactions with items that ")


MISTAKES = [
    (DAT, "ratings.dat", "661::3", "661:3", "ratings.dat: line 2: found 3 fields, expected 4"),
    (DAT, "ratings.dat", "661::3", "661::x", "ratings.dat: column rating, line 2: found 'x', expected a number"),
    (CSV, "ratings.csv", "661,3.0", "661", "ratings.csv: line 3: found 3 fields, expected 4"),
    (CSV, "ratings.csv", "1,661", "x,661", "ratings.csv: column user_id, line 3: found 'x', expected a whole number"),
    (CSV, "ratings.csv", "661,3.0", "661,nan", "ratings.csv: column rating, line 3: found nan, expected a number"),
    (OLD, "u.data", "661\t3", "661 3", "u.data: line 2: found 3 fields, expected 4"),
    (CSV, "ratings.csv", "movieId", "itemId", "ratings.csv: line 1: found userId, itemId, rating, timestamp, expected"),
    (CSV, "movies.csv", "movieId", "itemId", "movies.csv: line 1: found itemId, title, genres, expected a header with"),
    (CSV, "movies.csv", "1193,One", "One", "movies.csv: line 3: found 2 fields, expected 3 as in the header"),
    (DAT, "movies.dat", "1193::One", "One", "movies.dat: line 2: found 2 fields, expected 3"),
    (DAT, "movies.dat", "1193::One", " ::One", "movies.dat: column item_id, line 2: found no value, expected an id"),
    (OLD, "u.item", "|0|0|0|1|0|0|0", "|0|0|0|1|0|0", "u.item: line 2: found 11 fields, expected 12: 5 and a flag for"),
    (OLD, "u.item", "|0|0|0|1|0|0|0", "|0|0|0|2|0|0|0", "u.item: line 2: found the flag '2', expected 0 or 1"),
    (OLD, "u.genre", "Drama|3", "Drama", "u.genre: line 4: found 'Drama', expected NAME|NUMBER"),
    (OLD, "u.genre", "Drama|3", "Drama|9", "u.genre: found the numbers [0, 1, 2, 4, 5, 6, 9], expected 0 to 6"),
]


@pytest.mark.parametrize(("files", "name", "right", "wrong", "message"), MISTAKES)
def test_a_mistake_is_named_by_file_and_line(
    tmp_path: Path, files: dict[str, str], name: str, right: str, wrong: str, message: str
) -> None:
    assert right in files[name]
    folder = folder_of(tmp_path, files | {name: files[name].replace(right, wrong, 1)})
    assert refused(folder).startswith(message)


def test_a_repeated_film_counts_as_it_was_first(tmp_path: Path) -> None:
    movies = DAT["movies.dat"] + "661::Another (2000)::War\n"
    tables = source(folder_of(tmp_path, DAT | {"movies.dat": movies})).read()
    assert tables.items["title"].to_list()[0] == "James and the Giant Peach"
    assert len(tables.items) == 3
    assert tables.remarks[0] == f"{tmp_path}/movies.dat: 1 repeated items: the first of each counts"


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, {"ratings.dat": DAT["ratings.dat"]})
    with pytest.raises(InputError, match=r"found ratings\.dat; expected movies\.csv or movies\.dat or u\.item there$"):
        source(folder).read()
    (folder / "ratings.dat").unlink()
    with pytest.raises(InputError, match=r"found nothing; expected ratings\.csv or ratings\.dat or u\.data there$"):
        source(folder).read()


KG = pl.DataFrame({"head": ["m.1", "m.2"], "relation": ["director", "director"], "tail": ["Forman", "Forman"]})
# Link files of other publishers know more films than one of the sizes has.
LINKS = pl.DataFrame({"item_id": [1193, 661, 99], "entity_id": ["m.1", "m.2", "m.3"]})


def test_a_graph_of_ones_own_takes_the_place_of_genres(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, DAT)
    KG.write_csv(folder / "facts.csv")
    LINKS.write_parquet(folder / "links.parquet")
    atomic = KG.rename({"head": "head_id:token", "relation": "relation_id:token", "tail": "tail_id:token"})
    atomic.write_csv(folder / "ml.kg", separator="\t")
    atomic_links = LINKS.rename({"item_id": "item_id:token", "entity_id": "entity_id:token"})
    atomic_links.write_csv(folder / "ml.link", separator="\t")
    for triples, links in (("facts.csv", "links.parquet"), ("ml.kg", "ml.link")):
        tables = source(folder, kg_triples=triples, kg_links=links).read()
        assert tables.kg.equals(KG)
        assert tables.item_entities.rows() == [("1193", "m.1"), ("661", "m.2")]
        assert tables.remarks == [f"{folder}/{links}: 1 links of items that are not in the data set are left out"]


def test_a_graph_of_ones_own_is_two_files_that_are_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"^kg_links: found nothing, expected a file: kg_triples and kg_links go"):
        source(tmp_path, kg_triples="a.csv")
    folder = folder_of(tmp_path, DAT)
    with pytest.raises(InputError, match=r"^source\.kg_triples: found 'a\.csv', which \S+ does not have"):
        source(folder, kg_triples="a.csv", kg_links="b.csv").read()
    for name in ("a.txt", "b.csv"):
        (folder / name).write_text("x\n")
    with pytest.raises(
        InputError, match=r"a\.txt: found the ending '\.txt', expected one of \.parquet, \.csv, \.tsv, \.jsonl$"
    ):
        source(folder, kg_triples="a.txt", kg_links="b.csv").read()
