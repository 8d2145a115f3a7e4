from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.common.config import validated
from pipeline.common.errors import InputError
from pipeline.data.sources import TidyTables
from pipeline.data.sources.goodreads import GoodreadsSource

BOOKS = (
    "book_id,goodreads_book_id,best_book_id,work_id,books_count,isbn,isbn13,authors,original_publication_year,original_title,title,"
    "language_code,average_rating\n"
    "1,2767052,2767052,2792775,272,439023483,9.78043902348e+12,Suzanne Collins,2008.0,The Hunger Games,"
    '"The Hunger Games (The Hunger Games, #1)",eng,4.34\n'
    '2,3,3,4640799,491,439554934,9.78043955493e+12,"J.K. Rowling, Mary GrandPré",1997.0,Harry Potter and the Philosopher\'s Stone,'
    '"Harry Potter and the Sorcerer\'s Stone (Harry Potter, #1)",en-US,4.44\n'
    "3,1,41865,3212258,226,316015849,,Homer,-750.0,,The Odyssey,,3.57\n"
    '4,6148028,6148028,6171458,201,,,Suzanne Collins,,Catching Fire,"Catching Fire (The Hunger Games, #2)",en-GB,4.3\n'
)
FILES = {
    "books.csv": BOOKS,
    "ratings.csv": "user_id,book_id,rating\n1,1,5\n2,2,4\n2,3,1\n2,3,2\n3,4,3\n",
    "to_read.csv": "user_id,book_id\n1,2\n2,2\n1,2\n",
    # Number 1 is The Odyssey's at Goodreads.
    "book_tags.csv": "goodreads_book_id,tag_id,count\n1,10,500\n1,11,900\n1,12,99\n2767052,13,11314\n2767052,14,-1\n"
    "2767052,11,50000\n6148028,13,4000\n6148028,15,200\n",
    "tags.csv": "tag_id,tag_name\n10,classics\n11,to-read\n12,epic\n13,dystopian\n14,young-adult\n15,favorites-2012\n",
}


def folder_of(folder: Path, **changed: str | None) -> Path:
    for name, text in (FILES | {f"{key}.csv": text for key, text in changed.items()}).items():
        if text is not None:
            (folder / name).write_text(text)
    return folder


def read(path: Path, **settings: object) -> TidyTables:
    return validated(GoodreadsSource, {"type": "goodreads", "path": str(path), **settings}, "").read()


def test_the_files_give_the_tables(tmp_path: Path) -> None:
    tables = read(folder_of(tmp_path))
    assert tables.interactions.select("user_id", "item_id", "rating").rows() == [
        ("1", "1", 5.0),
        ("2", "2", 4.0),
        ("2", "3", 2.0),
        ("3", "4", 3.0),
    ]
    assert tables.feedback == "rated"
    assert tables.items.rows() == [
        ("1", "The Hunger Games (The Hunger Games, #1)", "Suzanne Collins", 2008, "eng", "dystopian"),
        (
            "2",
            "Harry Potter and the Sorcerer's Stone (Harry Potter, #1)",
            "J.K. Rowling, Mary GrandPré",
            1997,
            "eng",
            None,
        ),
        ("3", "The Odyssey", "Homer", -750, None, "classics"),
        ("4", "Catching Fire (The Hunger Games, #2)", "Suzanne Collins", None, "eng", "dystopian"),
    ]
    assert set(tables.kg.filter(head="book:1").rows()) == {
        ("book:1", "author", "Suzanne Collins"),
        ("book:1", "series", "The Hunger Games"),
        ("book:1", "language", "eng"),
        ("book:1", "decade", "2000s"),
        ("book:1", "tag", "dystopian"),
    }
    assert ("book:2", "author", "Mary GrandPré") in tables.kg.rows()
    # By its number at Goodreads, which is another book's here.
    assert ("book:3", "tag", "classics") in tables.kg.rows()
    assert ("book:1", "tag", "classics") not in tables.kg.rows()


def test_the_first_version_calls_the_numbers_otherwise(tmp_path: Path) -> None:
    header, rows = BOOKS.split("\n", 1)
    header = header.replace("book_id,goodreads_book_id,", "id,book_id,", 1)
    files = {"books": f"{header}\n{rows}", "ratings": "book_id,user_id,rating\n1,1,5\n2,2,4\n3,2,2\n4,3,3\n"}
    assert read(folder_of(tmp_path, **files)).items.equals(read(folder_of(tmp_path)).items)


def test_books_to_read_may_be_likes_but_not_what_was_rated_since(tmp_path: Path) -> None:
    tables = read(folder_of(tmp_path), to_read="like")
    rated = tables.interactions.select("user_id", "item_id", "rating").rows()
    assert ("1", "2", 5.0) in rated
    assert ("2", "2", 4.0) in rated
    assert len(rated) == 5
    assert "1 books to read are read as ratings of 5" in tables.remarks[0]


def test_tags_are_counted_and_need_not_be_there(tmp_path: Path) -> None:
    assert ("book:3", "tag", "epic") in read(folder_of(tmp_path), min_tag_count=99).kg.rows()
    (tmp_path / "tags.csv").unlink()
    tables = read(tmp_path)
    assert "tag" not in tables.kg["relation"]
    assert tables.items["tags"].null_count() == 4


def test_a_column_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"books\.csv: line 1: found .*, expected a header with book_id"):
        read(folder_of(tmp_path, books=BOOKS.replace("authors", "writers", 1)))
