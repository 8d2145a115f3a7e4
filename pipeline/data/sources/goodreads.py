"""goodbooks-10k: ratings of ten thousand books of Goodreads, as Zygmunt Zając published them.

| file | columns that are read | notes |
|---|---|---|
| ratings.csv | user_id, book_id, rating | 1 to 5 |
| books.csv | book_id, goodreads_book_id, authors, original_publication_year, title, language_code | years are 2008.0, or -750.0 |
| book_tags.csv, tags.csv | goodreads_book_id, tag_id, count; tag_id, tag_name | optional; some counts are -1 |
| to_read.csv | user_id, book_id | optional, see `to_read` |

A book is meant by its number from 1 to 10,000 in ratings.csv and to_read.csv, and by its number at Goodreads in book_tags.csv. In the first
version of the data set (on Kaggle) books.csv calls these `id` and `book_id`, and ratings.csv has some ratings twice.

The graph is authors, series, languages, decades and tags. Tags that say what a reader has done with a book and nothing
of the book (to-read, owned, favorites) are left out.
"""

from __future__ import annotations

import re
from typing import Literal

import polars as pl
from pydantic import Field

from pipeline.common.errors import InputError
from pipeline.data.sources.delimited import read_table_of
from pipeline.data.sources.files import DataFile, Files, FilesSource
from pipeline.data.sources.item_triples import decades, item_triples
from pipeline.data.sources.lines import Kind, read_columns
from pipeline.data.sources.tidy import RawTable, TidyTables, tidy

RATINGS: dict[str, Kind] = {"user_id": pl.Int64, "item_id": pl.Int64, "rating": pl.Float32}
TO_READ: dict[str, Kind] = {"user_id": pl.Int64, "item_id": pl.Int64}
OF_RATINGS, OF_BOOKS = ("user_id", "book_id", "rating"), ("best_book_id", "work_id", "authors")
HIGHEST_RATING = 5.0
TAGS_IN_TEXT = 5
# "Catching Fire (The Hunger Games, #2)", "Winter (Lunar Chronicles #4)".
SERIES = r"\(([^()#]+?),?\s*#[\d.–-]+[^()]*\)\s*$"
# What somebody did with a book: no word of the book itself.
SHELVES = re.compile(
    r".*\b(reads?|reading|own(ed)?|favou?rites?|fave?s?|wish-?list|shelf|shelves|library|kindle|ebooks?|e-books?|audio-?books?|audio|"
    r"book-?club|bookclub|my-books|my-collection|buy|bought|default|finished|unfinished|abandoned|dnf|re-?read|stars?|maybe|books-i-.*|"
    r"borrowed|shelfari.*|have|need|want|nook|calibre|in-my-.*|all-time.*|currently.*|\d{4})\b.*"
)


class GoodreadsSource(FilesSource):
    type: Literal["goodreads"] = Field(description="goodbooks-10k: books of Goodreads")
    to_read: Literal["drop", "like"] = Field(
        default="drop",
        description="Books in to_read.csv, which somebody wants to read: dropped, or counted as a rating of 5",
    )
    min_tag_count: int = Field(default=100, ge=1, description="A book has a tag if at least this many people gave it")

    def read(self) -> TidyTables:
        """Read and check the data set.

        Raises:
            InputError: files are missing, a line cannot be read, or a table does not pass the checks.
        """
        files = self.files()
        remarks: list[str] = []
        ratings = self._ratings(files, remarks)
        books, own = read_books(files.get("books.csv"))
        tags = self._tags(files, own)
        frame = books.frame
        known = {
            "author": frame["authors"].str.split(","),
            "series": frame["title"].str.extract(SERIES),
            "language": frame["language"],
            "decade": decades(frame["year"]),
            "tag": tags,
        }
        kg, links = item_triples(frame, "book", known, books.file)
        shown = tags.list.head(TAGS_IN_TEXT).list.join(", ")
        described = RawTable(frame.with_columns(tags=shown.set(shown == "", None)), books.file, 2, books.lines)
        tables = tidy(ratings, described, kg, links, mend=True, feedback="rated")
        tables.remarks[:0] = remarks
        return tables

    def _ratings(self, files: Files, remarks: list[str]) -> RawTable:
        ratings = read_columns(files.get("ratings.csv"), ",", RATINGS, header=OF_RATINGS)
        if self.to_read == "drop":
            return ratings
        wanted = read_columns(files.get("to_read.csv"), ",", TO_READ, header=OF_RATINGS[:2])
        # What was rated has been read since.
        new = wanted.frame.unique(maintain_order=True).join(ratings.frame, on=["user_id", "item_id"], how="anti")
        remarks.append(f"{wanted.file}: {len(new)} books to read are read as ratings of {HIGHEST_RATING:g}")
        as_ratings = new.with_columns(rating=pl.lit(HIGHEST_RATING, pl.Float32))
        return RawTable(pl.concat([ratings.frame, as_ratings]), ratings.file, 2)

    def _tags(self, files: Files, own: pl.DataFrame) -> pl.Series:
        """Tags of each book, those that most people gave first."""
        file, names = files.find("book_tags.csv"), files.find("tags.csv")
        if file is None or names is None:
            return pl.Series([[]] * len(own), dtype=pl.List(pl.String))
        given = _columns(file, ("goodreads_book_id", "tag_id", "count"))
        called = _columns(names, ("tag_id", "tag_name")).unique("tag_id", keep="first", maintain_order=True)
        called = called.filter(~pl.col("tag_name").map_elements(is_shelf, return_dtype=pl.Boolean))
        count = pl.col("count").cast(pl.Int64, strict=False)
        tags = (
            given.with_columns(count)
            .filter(pl.col("count") >= self.min_tag_count)
            .join(called, on="tag_id", how="inner")
            .sort("count", "tag_name", descending=[True, False])
            .group_by("goodreads_book_id", maintain_order=True)
            .agg("tag_name")
        )
        joined = own.join(tags, on="goodreads_book_id", how="left", maintain_order="left")
        return joined["tag_name"].fill_null(pl.Series([[]], dtype=pl.List(pl.String)))


def is_shelf(tag: str) -> bool:
    """Whether it says what somebody did with a book, or nothing in words."""
    return SHELVES.fullmatch(tag) is not None or not re.search(r"[^\W\d]", tag)


def read_books(file: DataFile) -> tuple[RawTable, pl.DataFrame]:
    """Books as item_id, title, authors, year, language; and beside them their `goodreads_book_id`.

    Raises:
        InputError: a column is missing, or the file cannot be read.
    """
    table = read_table_of(file.content(), str(file), ".csv")
    first = "id" in table.frame.columns and "goodreads_book_id" not in table.frame.columns
    item, own = ("id", "book_id") if first else ("book_id", "goodreads_book_id")
    needed = (item, own, "authors", "original_publication_year", "title", "original_title", "language_code")
    _refuse_missing(table, needed)
    frame = table.frame.select(
        item_id=item,
        # Some have no title but the original one.
        title=pl.coalesce(pl.col("title", "original_title").str.strip_chars().replace("", None)),
        authors="authors",
        year=pl.col("original_publication_year").cast(pl.Float64, strict=False).cast(pl.Int32, strict=False),
        # en-US and en-GB are the language that eng is.
        language=pl.col("language_code").str.replace("^en-.*$", "eng"),
    )
    return RawTable(frame, table.file, table.first_row, table.lines), table.frame.select(goodreads_book_id=own)


def _columns(file: DataFile, names: tuple[str, ...]) -> pl.DataFrame:
    table = read_table_of(file.content(), str(file), ".csv")
    _refuse_missing(table, names)
    return table.frame.select(names)


def _refuse_missing(table: RawTable, names: tuple[str, ...]) -> None:
    for name in names:
        if name not in table.frame.columns:
            found = ", ".join(table.frame.columns)[:160]
            raise InputError(f"{table.file}: line 1: found {found}, expected a header with {', '.join(names)}")
