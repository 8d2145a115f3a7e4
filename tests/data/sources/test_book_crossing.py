from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.common.config import validated
from pipeline.common.errors import InputError
from pipeline.data.sources import TidyTables
from pipeline.data.sources.book_crossing import BookCrossingSource

URLS = ";".join(f'"http://images.amazon.com/images/P/{size}.jpg"' for size in ("S", "M", "L"))
BOOK_HEADER = (
    '"ISBN";"Book-Title";"Book-Author";"Year-Of-Publication";"Publisher";"Image-URL-S";"Image-URL-M";"Image-URL-L"\n'
)
BOOKS = (
    '"0195153448";"Classical Mythology";"Mark P. O. Morford";"2002";"Oxford University Press"',
    '"0002005018";"Clara Callan";"Richard Bruce Wright";"2001";"HarperFlamingo Canada"',
    '"034545104X";"Flesh Tones: A Novel";"M. J. Rose";"0";"Ballantine Books"',
)
RATINGS = (
    '"User-ID";"ISBN";"Book-Rating"\n"276725";"034545104X";"0"\n"8";"0002005018";"5"\n"8";"034545104X";"9"\n'
    '"9";"0195153448";"10"\n'
)
COMMA_RATINGS = RATINGS.replace('"', "").replace(";", ",")
COMMA_HEADER = BOOK_HEADER.replace('"', "").replace(";", ",")


def books_of(*rows: str) -> str:
    return BOOK_HEADER + "".join(f"{row};{URLS}\n" for row in rows)


def comma_books_of(*rows: str) -> str:
    return COMMA_HEADER + "".join(f"{row},http://s.jpg,http://m.jpg,http://l.jpg\n" for row in rows)


def published(folder: Path, *more_books: str, ratings: str = RATINGS, end: str = "\n") -> Path:
    """The files as published: semicolons, Latin-1."""
    for name, text in (("BX-Books.csv", books_of(*BOOKS, *more_books)), ("BX-Book-Ratings.csv", ratings)):
        (folder / name).write_bytes(text.replace("\n", end).encode("latin-1"))
    return folder


def commas(folder: Path, *more_books: str, ratings: str = COMMA_RATINGS) -> Path:
    rows = [row.replace('"', "").replace(";", ",") for row in BOOKS]
    (folder / "Books.csv").write_text(comma_books_of(*rows, *more_books), encoding="utf-8")
    (folder / "Ratings.csv").write_text(ratings, encoding="utf-8")
    return folder


def read(path: Path, **settings: str) -> TidyTables:
    return validated(BookCrossingSource, {"type": "book-crossing", "path": str(path), **settings}, "").read()


def last_book(path: Path) -> tuple[object, ...]:
    return read(path).items.row(-1)


def refused(path: Path) -> str:
    with pytest.raises(InputError) as error:
        read(path)
    assert "\n" not in str(error.value)
    return str(error.value).removeprefix(f"{path}/")


@pytest.mark.parametrize("write", [published, commas])
def test_both_layouts_give_the_same_tables(tmp_path: Path, write) -> None:
    tables = read(write(tmp_path))
    assert tables.interactions.select("user_id", "item_id", "rating").rows() == [
        ("8", "0002005018", 5.0),
        ("8", "034545104X", 9.0),
        ("9", "0195153448", 10.0),
    ]
    assert tables.interactions["timestamp"].null_count() == 3
    assert tables.items.columns == ["item_id", "title", "author", "year", "publisher"]
    assert tables.items.rows() == [
        ("0195153448", "Classical Mythology", "Mark P. O. Morford", 2002, "Oxford University Press"),
        ("0002005018", "Clara Callan", "Richard Bruce Wright", 2001, "HarperFlamingo Canada"),
        ("034545104X", "Flesh Tones: A Novel", "M. J. Rose", None, "Ballantine Books"),
    ]
    assert sorted(tables.kg.filter(tables.kg["head"] != "book:0002005018").rows()) == [
        ("book:0195153448", "author", "Mark P. O. Morford"),
        ("book:0195153448", "decade", "2000s"),
        ("book:0195153448", "publisher", "Oxford University Press"),
        ("book:0195153448", "year", "2002"),
        ("book:034545104X", "author", "M. J. Rose"),
        ("book:034545104X", "publisher", "Ballantine Books"),
    ]
    assert tables.item_entities["entity_id"].to_list() == ["book:0195153448", "book:0002005018", "book:034545104X"]
    (remark,) = tables.remarks
    assert remark.endswith("atings.csv: 1 ratings of 0 (implicit) are left out")


def test_ratings_may_stand_without_quotes(tmp_path: Path) -> None:
    mixed = RATINGS.replace('"5"', "5").replace('"8";"034545104X";"9"', "8;034545104X;9").replace('"10"', "10")
    assert read(published(tmp_path, ratings=mixed)).interactions["rating"].to_list() == [5.0, 9.0, 10.0]


@pytest.mark.parametrize("write", [published, commas])
def test_zeros_are_likes_on_demand(tmp_path: Path, write) -> None:
    tables = read(write(tmp_path), implicit="like")
    assert tables.interactions.row(0) == ("276725", "034545104X", 10.0, None, None, None)
    assert len(tables.interactions) == 4
    assert tables.remarks[0].endswith("1 ratings of 0 (implicit) are read as ratings of 10")


def test_windows_line_ends_change_nothing(tmp_path: Path) -> None:
    expected = read(published(tmp_path))
    tables = read(published(tmp_path, end="\r\n"))
    assert tables.items.equals(expected.items)
    assert tables.interactions.equals(expected.interactions)


# What stands in the published file between the first `"` of a row and the pictures, and what it says.
BROKEN = [
    ('"1";"Isabel\'s Story \\"A\\" Tale";"Ann";"1999";"X"', "Isabel's Story \"A\" Tale", "Ann"),
    ('"1";"DK Readers: X-Men (Level 4)\\"";"Michael Teitelbaum";"2000";"DK"', 'DK Readers: X-Men (Level 4)"', "Michael Teitelbaum"),
    ('"1";"Peace \\"Makers\\"; Today; Tomorrow";"Ann";"1999";"X"', 'Peace "Makers"; Today; Tomorrow', "Ann"),
    ('"1";"Dogs &amp; Cats";"Ann &amp; Bob";"1999";"Simon &amp; Schuster"', "Dogs & Cats", "Ann & Bob"),
    ('"1";"Tom "Big" Jones";"Ann";"1999";"X"', 'Tom "Big" Jones', "Ann"),
    ('"1";"The "End";"Ann";"1999";"X"', 'The "End', "Ann"),
    ('"1";"One";"Two";"Three";"Ann";"1999";"X"', 'One";"Two";"Three', "Ann"),
    ('"1";"Die Söhne der Wölfin";"Tanja Kinkel";"1999";"X"', "Die Söhne der Wölfin", "Tanja Kinkel"),
    ('"1";"Two\nlines";"Ann";"1999";"X"', "Two lines", "Ann"),
    ('"1";"Blanks   in  it ";"  Ann ";"1999";"X"', "Blanks in it", "Ann"),
    ('"1";"Mixed";"Ann";1999;X', "Mixed", "Ann"),
    ('1;"No; quotes";Ann;1999;X', "No; quotes", "Ann"),
]  # fmt: skip


@pytest.mark.parametrize(("row", "title", "author"), BROKEN)
def test_broken_quoting_is_read_as_it_was_meant(tmp_path: Path, row: str, title: str, author: str) -> None:
    # A row after it shows that the next one starts where it should.
    tables = read(published(tmp_path, row, '"2";"After";"Z";"2001";"Y"'))
    assert tables.items.row(-2)[:4] == ("1", title, author, 2000 if "DK" in row else 1999)
    assert tables.items.row(-1) == ("2", "After", "Z", 2001, "Y")


def test_a_title_that_has_swallowed_its_author_is_put_right(tmp_path: Path) -> None:
    swallowed = r'1,"DK Readers: X-Men (Level 4: Readers)\"";Michael Teitelbaum""",2000,DK Publishing Inc,http://0.jpg'
    header = COMMA_HEADER
    row = f"{swallowed},http://s.jpg,http://m.jpg,\n"
    commas(tmp_path)
    books = (tmp_path / "Books.csv").read_text()
    assert books.startswith(header)
    (tmp_path / "Books.csv").write_text(books + row)
    assert last_book(tmp_path) == (
        "1",
        "DK Readers: X-Men (Level 4: Readers)",
        "Michael Teitelbaum",
        2000,
        "DK Publishing Inc",
    )


@pytest.mark.parametrize("write", [published, commas])
def test_letters_that_were_encoded_twice_are_put_right(tmp_path: Path, write) -> None:
    def mangled(letter: str) -> str:
        """As in the published file: UTF-8 read as Latin-1, in UTF-8 again; of what that gave, the unprintable is a `?`."""
        twice = letter.encode().decode("latin-1").encode()
        return twice.replace(b"\x83", b"?").decode("latin-1")

    title = "Le neveu d'Am{}rique, {} Brooklyn, f{}r Élise".format(*map(mangled, "éàü"))
    assert "Am\xc3?\xc2\xa9rique, \xc3?\xc2\xa0 B" in title
    publisher = "Éditions {}".format("né®".encode().decode("latin-1"))
    row = f'"1";"{title}";"groÃ?Ã?e";"1999";"{publisher}"'
    book = last_book(write(tmp_path, row if write is published else row.replace(";", ",")))
    assert book == ("1", "Le neveu d'Amérique, à Brooklyn, für Élise", "groÃ?Ã?e", 1999, "Éditions né®")


def test_missing_names_and_years_are_missing(tmp_path: Path) -> None:
    assert last_book(published(tmp_path, '"1";"T";"Not Applicable (Na )";"0";"NULL"')) == ("1", "T", None, None, None)
    assert last_book(published(tmp_path, '"1";"T";"";"Gallimard";"n/a"')) == ("1", "T", None, None, None)
    assert read(tmp_path).item_entities["item_id"].to_list() == ["0195153448", "0002005018", "034545104X"]


def test_isbns_are_compared_in_upper_case_and_without_blanks(tmp_path: Path) -> None:
    tables = read(published(tmp_path, ratings=RATINGS + '"11";" 034545104x ";"7"\n'))
    assert tables.interactions.row(-1)[:3] == ("11", "034545104X", 7.0)


def test_repeated_ratings_and_books_count_once_and_unknown_books_not_at_all(tmp_path: Path) -> None:
    ratings = RATINGS + '"8";"0002005018";"7"\n"8";"unknown";"7"\n'
    tables = read(published(tmp_path, '"0002005018";"Again";"A";"2000";"P"', ratings=ratings))
    rated = {row[:2]: row[2] for row in tables.interactions.iter_rows()}
    assert rated == {("8", "0002005018"): 7.0, ("8", "034545104X"): 9.0, ("9", "0195153448"): 10.0}
    assert tables.items["title"].to_list() == ["Classical Mythology", "Clara Callan", "Flesh Tones: A Novel"]
    said = [remark.removeprefix(f"{tmp_path}/") for remark in tables.remarks]
    assert said == [
        "BX-Book-Ratings.csv: 1 ratings of 0 (implicit) are left out",
        "BX-Books.csv: 1 repeated items: the first of each counts",
        f"BX-Book-Ratings.csv: 1 of 5 interactions with items that {tmp_path}/BX-Books.csv lacks are left out",
        "BX-Book-Ratings.csv: 1 repeated interactions: the last of each in the file counts",
    ]


@pytest.mark.parametrize("broken", ['"broken', "b;T\rA;2000;P;I", f"b;{'T' * 140_000};A;2000;P;I"])
def test_a_few_lines_that_are_no_book_are_left_out_and_many_are_a_mistake(tmp_path: Path, broken: str) -> None:
    more = [f'"b{number}";"T";"A";"2000";"P"' for number in range(200)]
    tables = read(published(tmp_path, *more[:100], broken, *more[100:]))
    assert len(tables.items) == 203
    assert tables.remarks[1].endswith("BX-Books.csv: 1 lines that are not book rows are left out (first: line 105)")
    message = (
        "BX-Books.csv: line 5: found no row of a book, expected ISBN, Book-Title, Book-Author, Year-Of-Publication"
    )
    assert refused(published(tmp_path, broken)).startswith(message)


@pytest.mark.parametrize(
    ("write", "row", "message"),
    [
        (
            published,
            '"8";"1";"good"\n',
            "column Book-Rating, line 6: found 'good', expected a whole number from 0 to 10",
        ),
        (published, '"8";"1";"11"\n', "column Book-Rating, line 6: found '11', expected a whole number from 0 to 10"),
        (published, '"8";"1"\n', "line 6: found 1 fields, expected 3"),
        (published, '"";"1";"5"\n', "column user_id, line 6: found no value, expected an id"),
        (commas, "8,1,-1\n", "column Book-Rating, line 6: found '-1', expected a whole number from 0 to 10"),
        (commas, "8,1\n", "line 6: found 2 fields, expected 3 as in the header"),
        (commas, "8,,5\n", "column item_id, line 6: found no value, expected an id"),
    ],
)
def test_a_mistake_is_named_by_file_and_line(tmp_path: Path, write, row: str, message: str) -> None:
    good = RATINGS if write is published else COMMA_RATINGS
    folder = write(tmp_path, ratings=good + row)
    name = "BX-Book-Ratings.csv" if write is published else "Ratings.csv"
    assert refused(folder) == f"{name}: {message}"


def test_another_header_is_shown(tmp_path: Path) -> None:
    folder = published(tmp_path, ratings=RATINGS.replace("ISBN", "Book"))
    message = (
        "BX-Book-Ratings.csv: line 1: found User-ID, Book, Book-Rating, expected a header with User-ID, ISBN, Book-R"
    )
    assert refused(folder).startswith(message)


def test_missing_files_are_named(tmp_path: Path) -> None:
    folder = published(tmp_path)
    (folder / "BX-Books.csv").unlink()
    with pytest.raises(
        InputError, match=r"found BX-Book-Ratings\.csv; expected BX-Books\.csv or BX_Books\.csv or Books"
    ):
        read(folder)
