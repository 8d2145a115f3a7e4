from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from pipeline.common.config import validated
from pipeline.common.errors import InputError
from pipeline.data.sources import TidyTables
from pipeline.data.sources.files import FilesSource
from pipeline.data.sources.goodreads_ucsd import GoodreadsUcsdSource, is_goodreads_ucsd

ONE, OTHER = "8842281e1d1347389f2ab93d60773d4d", "72fb0d0087d28c832f15776b0d936598"


def interaction(user: str, book: str, rating: int, **changed: Any) -> dict[str, Any]:
    return {
        "user_id": user,
        "book_id": book,
        "review_id": "1bad0122cebb4aa9213f9fe1aa281f66",
        "is_read": rating > 0,
        "rating": rating,
        "review_text_incomplete": "",
        "date_added": "Wed May 09 09:33:44 -0700 2007",
        "date_updated": "Wed May 09 09:33:44 -0700 2007",
        "read_at": "",
        "started_at": "",
    } | changed


def book(number: str, **changed: Any) -> dict[str, Any]:
    """As the file has them, numbers as texts, and what is not known as an empty text."""
    return {
        "isbn": "", "text_reviews_count": "1", "series": [], "country_code": "US", "language_code": "", "popular_shelves": [],
        "asin": "", "is_ebook": "false", "average_rating": "4.00", "kindle_asin": "", "similar_books": [], "description": "",
        "format": "", "link": "https://www.goodreads.com/book/show/1", "authors": [], "publisher": "", "num_pages": "",
        "publication_day": "", "isbn13": "", "publication_month": "", "edition_information": "", "publication_year": "", "url": "",
        "image_url": "", "book_id": number, "ratings_count": "3", "work_id": "5400751", "title": "", "title_without_series": "",
    } | changed  # fmt: skip


INTERACTIONS = [
    interaction(ONE, "1384", 4),
    interaction(ONE, "1376", 5, date_added="Tue Dec 31 23:59:59 +0000 2013"),
    # On a shelf, and read, but not rated.
    interaction(ONE, "30119", 0),
    interaction(OTHER, "1384", 1),
    interaction(OTHER, "1376", 0, is_read=True),
]
BOOKS = [
    book(
        "1384",
        title="The Iliad (Epics, #1)",
        authors=[{"author_id": "903", "role": ""}, {"author_id": "1005", "role": "Translator"}],
        series=["189911"],
        language_code="eng",
        publication_year="1990",
        publisher="Penguin  Classics",
        popular_shelves=[
            {"count": "9000", "name": "to-read"},
            {"count": "500", "name": "poetry"},
            {"count": "9", "name": "war"},
        ],
        similar_books=["1376", "77"],
        description="Achilles\n is angry.",
    ),
    book(
        "1376",
        title_without_series="The Odyssey",
        authors=[{"author_id": "903", "role": ""}],
        language_code="en-US",
        publication_year="-8",
        popular_shelves=[{"count": "400", "name": "poetry"}],
    ),
    book("999", title="Nobody's"),
]
AUTHORS = [
    {"average_rating": "3.98", "author_id": "903", "text_reviews_count": "7", "name": "Homer", "ratings_count": "49"}
]
SERIES = [
    {"numWorks": "9", "note": "", "description": "", "title": "Epics", "series_id": "189911", "primary_work_count": "3"}
]


def write(folder: Path, **files: list[dict[str, Any]]) -> Path:
    folder.mkdir(exist_ok=True)
    for name, rows in files.items():
        text = "".join(f"{json.dumps(row)}\n" for row in rows)
        (folder / f"{name}.json.gz").write_bytes(gzip.compress(text.encode()))
    return folder


def published(folder: Path) -> Path:
    return write(
        folder,
        goodreads_interactions_poetry=INTERACTIONS,
        goodreads_books_poetry=BOOKS,
        goodreads_book_authors=AUTHORS,
        goodreads_book_series=SERIES,
    )


def read(path: Path, **settings: object) -> TidyTables:
    return validated(GoodreadsUcsdSource, {"type": "goodreads-ucsd", "path": str(path), **settings}, "").read()


def ratings(tables: TidyTables) -> set[tuple[str, str, float]]:
    return set(tables.interactions.select("user_id", "item_id", "rating").rows())


def test_a_genre_of_it_is_read(tmp_path: Path) -> None:
    tables = read(published(tmp_path))
    assert ratings(tables) == {(ONE, "1384", 4.0), (ONE, "1376", 5.0), (OTHER, "1384", 1.0)}
    assert dict(tables.interactions.filter(user_id=ONE).select("item_id", "timestamp").rows()) == {
        "1384": 1178728424.0,
        "1376": 1388534399.0,
    }
    assert tables.items.columns == ["item_id", "title", "author", "year", "tags", "description"]
    assert tables.items.rows() == [
        ("1384", "The Iliad (Epics, #1)", "Homer, author:1005", 1990, "poetry", "Achilles is angry."),
        ("1376", "The Odyssey", "Homer", None, "poetry", None),
    ]
    assert set(tables.kg.rows()) == {
        ("book:1384", "author", "Homer"), ("book:1384", "author", "author:1005"), ("book:1384", "series", "Epics"),
        ("book:1384", "language", "eng"), ("book:1384", "decade", "1990s"), ("book:1384", "publisher", "Penguin Classics"),
        ("book:1384", "shelf", "poetry"), ("book:1384", "similar", "book:1376"), ("book:1384", "similar", "book:77"),
        ("book:1376", "author", "Homer"), ("book:1376", "language", "eng"), ("book:1376", "shelf", "poetry"),
    }  # fmt: skip
    assert tables.feedback == "rated"
    assert [remark.split(": ", 1)[1] for remark in tables.remarks] == [
        "2 books on shelves that have no rating (implicit) are left out",
        "1 books that nobody rated are left out",
    ]


def test_what_was_not_rated_may_be_a_like_and_rare_shelves_may_count(tmp_path: Path) -> None:
    tables = read(published(tmp_path), implicit="like", min_shelf_count=9)
    # A book that the file of books lacks is left out.
    assert ratings(tables) - ratings(read(tmp_path)) == {(OTHER, "1376", 5.0)}
    assert ("book:1384", "shelf", "war") in tables.kg.rows()
    assert "2 books on shelves that have no rating (implicit) are read as ratings of 5" in tables.remarks[0]
    assert "1 of 5 interactions with items that" in tables.remarks[-1]


def test_what_is_not_there_need_not_be(tmp_path: Path) -> None:
    alone = read(write(tmp_path / "alone", goodreads_reviews_poetry=INTERACTIONS))
    assert ratings(alone) == {(ONE, "1384", 4.0), (ONE, "1376", 5.0), (OTHER, "1384", 1.0)}
    assert alone.kg.is_empty()
    without = read(write(tmp_path / "without", goodreads_interactions=INTERACTIONS, goodreads_books=BOOKS))
    assert ("book:1384", "series", "series:189911") in without.kg.rows()
    assert "author" not in without.items.columns
    # Interactions have all that reviews have.
    both = write(tmp_path / "alone", goodreads_interactions_poetry=INTERACTIONS[:4])
    assert len(read(both).interactions) == 3
    undated = [interaction(ONE, "1", 4), interaction(ONE, "2", 4, date_added="")]
    assert read(write(tmp_path / "undated", goodreads_interactions=undated)).interactions["timestamp"].null_count() == 2


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([interaction(ONE, "1", 6)], "line 1: key rating: found 6, expected a number from 0 to 5"),
        ([interaction(ONE, "1", 5), interaction(ONE, "", 5)], "line 2: key book_id: found '', expected a text"),
        ([{"user_id": ONE, "book_id": "1"}], "line 1: key rating: found None, expected a number"),
        ([interaction(ONE, "1", 0)], "found no rating, expected some; or set implicit: like"),
    ],
)
def test_a_line_that_cannot_be_is_named(rows: list[dict[str, Any]], said: str, tmp_path: Path) -> None:
    with pytest.raises(InputError) as error:
        read(write(tmp_path, goodreads_interactions=rows))
    assert said in str(error.value)


def test_two_genres_in_a_folder_and_none_are_one_line(tmp_path: Path) -> None:
    two = write(published(tmp_path / "two"), goodreads_interactions_comics_graphic=INTERACTIONS)
    with pytest.raises(InputError, match=r"interactions_poetry\.json\.gz, expected one genre; set path to its folder"):
        read(two)
    with pytest.raises(InputError, match=r"found goodreads_books\.json\.gz; expected goodreads_interactions"):
        read(write(tmp_path / "none", goodreads_books=BOOKS))
    with pytest.raises(InputError, match="found none of the books that were rated"):
        read(write(tmp_path / "others", goodreads_interactions=INTERACTIONS, goodreads_books=BOOKS[2:]))


def test_it_is_known_by_its_first_line(tmp_path: Path) -> None:
    def known(folder: Path) -> bool:
        return is_goodreads_ucsd(FilesSource(type="any", path=str(folder)).files())

    assert known(published(tmp_path / "published"))
    assert not known(write(tmp_path / "other", goodreads_interactions=[{"who": 1}]))
    assert not known(write(tmp_path / "books", goodreads_books=BOOKS))
