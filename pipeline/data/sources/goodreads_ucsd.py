"""Goodreads as UCSD's book graph has it (Wan, McAuley 2018): whole, or a genre of it.

| file, also .gz | keys that are read |
|---|---|
| goodreads_interactions….json, or goodreads_reviews….json | user_id, book_id, rating (0: on a shelf, not rated), date_added |
| goodreads_books….json | book_id, title, authors, series, popular_shelves, similar_books, and TEXTS |
| goodreads_book_authors.json, goodreads_book_series.json | author_id, name; series_id, title |

Numbers are texts there, and an empty text is nothing. In the books authors and series go by their numbers; the last two files, which have
their names, are optional. So are the books, without which there are no texts and no graph.

The graph is authors, series, languages, decades, publishers, similar books, and shelves without those that say what a reader did with a
book.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Literal

import polars as pl
from pydantic import Field

from pipeline.common.errors import InputError
from pipeline.data.sources.book_crossing import Implicit
from pipeline.data.sources.files import DataFile, Files, FilesSource
from pipeline.data.sources.goodreads import HIGHEST_RATING, TAGS_IN_TEXT, is_shelf
from pipeline.data.sources.item_triples import decades, item_triples
from pipeline.data.sources.objects import frame_of, needed, objects_in
from pipeline.data.sources.tidy import RawTable, TidyTables, items_of, tidy

RATINGS = re.compile(r"goodreads_(interactions|reviews)\w*\.json(\.gz)?")
BOOKS = re.compile(r"goodreads_books\w*\.json(\.gz)?")
AUTHORS, SERIES = (re.compile(rf"goodreads_book_{name}\w*\.json(\.gz)?") for name in ("authors", "series"))
RATED = {"user_id": pl.String, "item_id": pl.String, "rating": pl.Float32, "added": pl.String}
TEXTS = ("language", "publisher", "description")
LISTS = ("authors", "series", "shelves", "similar")
DESCRIBED = (
    {"item_id": pl.String, "title": pl.String, "year": pl.Int32}
    | dict.fromkeys(TEXTS, pl.String)
    | dict.fromkeys(LISTS, pl.List(pl.String))
)
# "Wed May 09 09:33:44 -0700 2007".
DATE = "%a %b %d %H:%M:%S %z %Y"
LONGEST_DESCRIPTION = 400
YEARS = range(1, 2100)


class GoodreadsUcsdSource(FilesSource):
    type: Literal["goodreads-ucsd"] = Field(description="UCSD's book graph of Goodreads: all of it, or one genre")
    implicit: Implicit = Field(
        default="drop", description="Books on shelves that have no rating (0): dropped, or counted as a rating of 5"
    )
    min_shelf_count: int = Field(
        default=10, ge=1, description="A book has a shelf if at least this many people put it there"
    )

    def read(self) -> TidyTables:
        """Read and check the data set.

        Raises:
            InputError: files are missing, a line cannot be read, or a table does not pass the checks.
        """
        files, remarks = self.files(), list[str]()
        ratings = self._ratings(files, remarks)
        file = files.only(BOOKS, "genre")
        if file is None:
            tables = tidy(ratings, items_of(ratings), None, None, mend=True, feedback="rated")
        else:
            books, known = self._books(file, files, set(ratings.frame["item_id"]), remarks)
            kg, links = item_triples(books.frame, "book", known, books.file)
            tables = tidy(ratings, books, kg, links, mend=True, feedback="rated")
        tables.remarks[:0] = remarks
        return tables

    def _ratings(self, files: Files, remarks: list[str]) -> RawTable:
        found = [file for file in files if RATINGS.fullmatch(file.name)]
        # Reviews are a part of the interactions.
        whole = [file for file in found if "interactions" in file.name] or found
        file = Files(whole, self.path).only(RATINGS, "genre")
        if file is None:
            raise InputError(f"{self.path}: found {files.named()}; expected goodreads_interactions….json(.gz) there")
        frame = frame_of(_rated(file), RATED)
        zeros = pl.col("rating") == 0
        count = int((frame["rating"] == 0).sum())
        if self.implicit == "drop":
            frame = frame.filter(~zeros)
        else:
            frame = frame.with_columns(rating=pl.when(zeros).then(HIGHEST_RATING).otherwise("rating").cast(pl.Float32))
        if count:
            done = "left out" if self.implicit == "drop" else f"read as ratings of {HIGHEST_RATING:g}"
            remarks.append(f"{file}: {count} books on shelves that have no rating (implicit) are {done}")
        if frame.is_empty():
            raise InputError(f"{file}: found no rating, expected some; or set implicit: like")
        times = frame["added"].str.to_datetime(DATE, strict=False).dt.epoch("s").cast(pl.Float64)
        frame = frame.drop("added")
        # All or none, or a temporal split would go by what is not there.
        return RawTable(frame if times.has_nulls() else frame.with_columns(timestamp=times), str(file))

    def _books(
        self, file: DataFile, files: Files, wanted: set[str], remarks: list[str]
    ) -> tuple[RawTable, dict[str, pl.Series]]:
        """Books that somebody rated; and beside them what the graph is made of."""
        left = 0

        def rows() -> Iterator[tuple[Any, ...]]:
            nonlocal left
            for number, book in objects_in(file):
                item = str(needed(book, "book_id", (str, int), f"{file}: line {number}"))
                if item in wanted:
                    yield item, *self._described(book)
                else:
                    left += 1

        frame = frame_of(rows(), DESCRIBED).unique("item_id", keep="first", maintain_order=True)
        if left:
            remarks.append(f"{file}: {left} books that nobody rated are left out")
        if frame.is_empty():
            raise InputError(f"{file}: found none of the books that were rated, expected most of them there")
        frame = frame.with_columns(
            _called(frame["authors"], files.only(AUTHORS, "list"), "author_id", "name", "author"),
            _called(frame["series"], files.only(SERIES, "list"), "series_id", "title", "series"),
        )
        known = {
            "author": frame["authors"],
            "series": frame["series"],
            "language": frame["language"],
            "decade": decades(frame["year"]),
            "publisher": frame["publisher"],
            "shelf": frame["shelves"],
            "similar": frame["similar"].list.eval(pl.format("book:{}", pl.element())),
        }
        shelves = pl.col("shelves").list.head(TAGS_IN_TEXT).list.join(", ").replace("", None)
        # Without the files of names, authors are numbers, which are no text.
        named = (
            pl.col("authors").list.join(", ").replace("", None)
            if files.only(AUTHORS, "list")
            else pl.lit(None, pl.String)
        )
        items = frame.select("item_id", "title", named.alias("author"), "year", shelves.alias("tags"), "description")
        return RawTable(
            items.select(name for name in items.columns if items[name].null_count() < len(items)), str(file)
        ), known

    def _described(self, book: Mapping[str, Any]) -> tuple[Any, ...]:
        """As DESCRIBED, without the id."""
        shelves = [
            one for one in _objects(book.get("popular_shelves")) if _number(one.get("count")) >= self.min_shelf_count
        ]
        names = [name for one in shelves if (name := str(one.get("name") or "")) and not is_shelf(name)]
        year, language = _number(book.get("publication_year")), _text(book.get("language_code"))
        return (
            _text(book.get("title")) or _text(book.get("title_without_series")),
            year if year in YEARS else None,
            # en-US and en-GB are the language that eng is.
            "eng" if language and language.startswith("en-") else language,
            _text(book.get("publisher")),
            (_text(book.get("description")) or "")[:LONGEST_DESCRIPTION] or None,
            [str(one["author_id"]) for one in _objects(book.get("authors")) if one.get("author_id")],
            [str(one) for one in _list(book.get("series")) if one],
            names,
            [str(one) for one in _list(book.get("similar_books")) if one],
        )


def _rated(file: DataFile) -> Iterator[tuple[Any, ...]]:
    for number, row in objects_in(file):
        where = f"{file}: line {number}"
        rating = needed(row, "rating", (int, float), where)
        if not 0 <= rating <= HIGHEST_RATING:
            raise InputError(f"{where}: key rating: found {rating}, expected a number from 0 to {HIGHEST_RATING:g}")
        yield (
            str(needed(row, "user_id", (str, int), where)),
            str(needed(row, "book_id", (str, int), where)),
            float(rating),
            _text(row.get("date_added")),
        )


def _called(numbers: pl.Series, file: DataFile | None, key: str, name: str, kind: str) -> pl.Series:
    """Lists of numbers as the names that a file has for them; what it lacks is its kind and its number."""
    wanted = set(numbers.explode().drop_nulls())
    names: dict[str, str] = {}
    for _, one in objects_in(file) if file is not None and wanted else ():
        number, called = str(one.get(key) or ""), _text(one.get(name))
        if number in wanted and called:
            names[number] = called
    found = [[names.get(one, f"{kind}:{one}") for one in row] for row in numbers.to_list()]
    return pl.Series(numbers.name, found, dtype=pl.List(pl.String))


def _text(value: Any) -> str | None:
    return " ".join(value.split()) or None if isinstance(value, str) else None


def _number(value: Any) -> int:
    """0 where it is none."""
    text = str(value or "")
    return int(text) if text.isdecimal() and len(text) < 10 else 0


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _objects(value: Any) -> list[dict[str, Any]]:
    return [one for one in _list(value) if isinstance(one, dict)]


def is_goodreads_ucsd(files: Files) -> bool:
    """Whether a folder holds UCSD's interactions or reviews of Goodreads."""
    for file in files:
        if RATINGS.fullmatch(file.name):
            line = file.first_line().decode("utf-8", errors="replace")
            if all(f'"{key}"' in line for key in ("user_id", "book_id", "rating")):
                return True
    return False
