"""Book-Crossing: the semicolon files that Cai-Nicolas Ziegler published (BX-*.csv), or their comma copies (Ratings.csv, Books.csv).

The BX files are Latin-1 and no proper CSV: quotes inside fields are escaped by a backslash or not at all, and titles have
semicolons in them, of their own or of entities (``&amp;``). What holds is that ``";"`` separates fields. Letters with accents went
through UTF-8 twice before publication: ``Ã?Â©`` and ``Ã©`` are é, ``Â®`` is ®; ``Ã?Ã?`` may be ß or Ü and stays. In the comma
copies some titles have swallowed their author, and what follows is one column off.

A rating of 0 says that somebody had to do with the book, without a judgement; 1 to 10 are ratings.
"""

from __future__ import annotations

import csv
import html
import re
from collections.abc import Iterator
from contextlib import suppress
from typing import Literal

import polars as pl
from pydantic import Field

from pipeline.common.errors import InputError, quoted
from pipeline.data.sources.delimited import read_delimited
from pipeline.data.sources.files import DataFile, Files, FilesSource
from pipeline.data.sources.item_triples import decades, item_triples
from pipeline.data.sources.lines import read_lines
from pipeline.data.sources.tidy import RawTable, TidyTables, tidy

RATING_HEADER = ("User-ID", "ISBN", "Book-Rating")
BOOK_HEADER = ("ISBN", "Book-Title", "Book-Author", "Year-Of-Publication", "Publisher")
HIGHEST_RATING = 10.0
NO_NAME = ("", "null", "n/a", "not applicable (na )")
# The two bytes of a letter in UTF-8, each read as a letter; the second may have been encoded once more, and the first lost half.
TWICE_ENCODED = re.compile("([ÂÃ])(?:\\?Â)?([\x80-\xbf])")
# Above it the file is none of Book-Crossing, and leaving lines out would hide it.
BROKEN_SHARE = 0.01

Implicit = Literal["drop", "like"]
IMPLICIT_MEANING = "Ratings of 0 in Book-Crossing: dropped, or counted as the highest rating, 10"


class BookCrossingSource(FilesSource):
    type: Literal["book-crossing"] = Field(description="Book-Crossing, as published or as comma files")
    implicit: Implicit = Field(default="drop", description=IMPLICIT_MEANING)

    def read(self) -> TidyTables:
        """Read and check the data set.

        Raises:
            InputError: files are missing, a line cannot be read, or a table does not pass the checks.
        """
        files = self.files()
        remarks: list[str] = []
        ratings = read_book_ratings(files, self.implicit, remarks)
        books = read_books(files, remarks)
        frame = books.frame
        known = {"author": frame["author"], "publisher": frame["publisher"], "year": frame["year"]}
        kg, links = item_triples(frame, "book", known | {"decade": decades(frame["year"])}, books.file)
        tables = tidy(ratings, books, kg, links, mend=True, feedback="rated")
        tables.remarks[:0] = remarks
        return tables


def read_book_ratings(files: Files, implicit: Implicit, remarks: list[str]) -> RawTable:
    """user_id, item_id (the ISBN) and rating of every row; zeros as `implicit` says.

    Raises:
        InputError: there is no such file, or a line of it has no rating of 0 to 10.
    """
    file = files.get("BX-Book-Ratings.csv", "Ratings.csv", "Book-Ratings.csv")
    users, isbns, ratings, lines = [], [], [], []
    zeros = 0
    for number, fields in _rows(file, RATING_HEADER):
        if len(fields) != len(RATING_HEADER):
            raise InputError(f"{file}: line {number}: found {len(fields)} fields, expected {len(RATING_HEADER)}")
        user, isbn, text = (field.strip() for field in fields)
        if not (text.isdecimal() and int(text) <= HIGHEST_RATING):
            raise InputError(
                f"{file}: column Book-Rating, line {number}: found {quoted(text)}, expected a whole number from 0 to 10"
            )
        rating = float(text)
        if rating == 0:
            zeros += 1
            if implicit == "drop":
                continue
            rating = HIGHEST_RATING
        users.append(user)
        isbns.append(isbn.upper())
        ratings.append(rating)
        lines.append(number)
    if zeros:
        done = "left out" if implicit == "drop" else "read as ratings of 10"
        remarks.append(f"{file}: {zeros} ratings of 0 (implicit) are {done}")
    frame = pl.DataFrame(
        {"user_id": users, "item_id": isbns, "rating": ratings},
        schema={"user_id": pl.String, "item_id": pl.String, "rating": pl.Float32},
    )
    return RawTable(frame, str(file), 2, lines)


def read_books(files: Files, remarks: list[str]) -> RawTable:
    """Books as item_id (the ISBN), title, author, year, publisher.

    Raises:
        InputError: there is no such file, or too much of it is no row of books.
    """
    file = files.get("BX-Books.csv", "BX_Books.csv", "Books.csv")
    books, lines, broken = [], [], []
    for number, fields in _rows(file, BOOK_HEADER):
        if len(fields) < len(BOOK_HEADER) or not fields[0].strip():
            broken.append(number)
            continue
        isbn, title, author, year, publisher = _in_place(fields)
        whole = int(year) if year.strip().isdecimal() else 0
        books.append((isbn.strip().upper(), _name(title), _name(author), whole or None, _name(publisher)))
        lines.append(number)
    if len(broken) > BROKEN_SHARE * (len(books) + len(broken)):
        raise InputError(f"{file}: line {broken[0]}: found no row of a book, expected {', '.join(BOOK_HEADER)}")
    if broken:
        remarks.append(f"{file}: {len(broken)} lines that are not book rows are left out (first: line {broken[0]})")
    schema = {"item_id": pl.String, "title": pl.String, "author": pl.String, "year": pl.Int32, "publisher": pl.String}
    return RawTable(pl.DataFrame(books, schema=schema, orient="row"), str(file), 2, lines)


def _rows(file: DataFile, columns: tuple[str, ...]) -> Iterator[tuple[int, list[str]]]:
    """Line number and fields of each row, in the order of `columns`, further columns left out."""
    lines = read_lines(file, "either")
    semicolons = ";" in lines[0]
    header = [name.strip().strip('"') for name in lines[0].split(";" if semicolons else ",")]
    for name in columns:
        if name not in header:
            raise InputError(
                f"{file}: line 1: found {', '.join(header)[:160]}, expected a header with {', '.join(columns)}"
            )
    places = [header.index(name) for name in columns]
    rows = _semicolon_rows(lines, len(header)) if semicolons else _comma_rows(file)
    for number, fields in rows:
        yield number, [fields[place] for place in places] if len(fields) == len(header) else fields[:1]


def _semicolon_rows(lines: list[str], width: int) -> Iterator[tuple[int, list[str]]]:
    index = 1
    while index < len(lines):
        number, line = index + 1, lines[index]
        index += 1
        # A row that its line does not close goes on in the next one, unless its last field is just not in quotes.
        while _open(line) and len(_plain(line)) < width and index < len(lines) and not lines[index].startswith('"'):
            line += f" {lines[index]}"
            index += 1
        fields = line.strip()[1:-1].split('";"') if line.startswith('"') and not _open(line) else []
        if len(fields) < width:
            # Some field is not in quotes: then quotes must be what they are elsewhere.
            yield number, _plain(line)
            continue
        extra = len(fields) - width
        if extra > 0:
            # The second field is the title, or the ISBN: the only one in which anything may stand.
            fields[1 : extra + 2] = ['";"'.join(fields[1 : extra + 2])]
        yield number, [html.unescape(field.replace('\\"', '"')) for field in fields]


def _open(line: str) -> bool:
    return line.startswith('"') and not line.rstrip().endswith('"')


def _plain(line: str) -> list[str]:
    """Empty where there is a line break in it, or a field of more than 131,072 characters: it is no row."""
    with suppress(csv.Error):
        return next(csv.reader([line], delimiter=";", escapechar="\\"), [])
    return []


def _comma_rows(file: DataFile) -> Iterator[tuple[int, list[str]]]:
    table = read_delimited(file.content(), str(file), ",", quoted=True)
    for index, row in enumerate(table.frame.iter_rows()):
        yield table.line(index), ["" if field is None else field for field in row]


def _in_place(fields: list[str]) -> list[str]:
    """A row whose title has swallowed the author, as in the comma copies, put right."""
    isbn, title, author, year, _ = fields
    first, mark, second = title.partition('\\";')
    if mark and author.strip().isdecimal() and not year.strip().isdecimal():
        return [isbn, f'{first}"' if first.count('"') % 2 else first, second.strip('"'), author, year]
    return fields


def _name(text: str) -> str | None:
    # First of all: the second byte of à looks like a blank.
    text = TWICE_ENCODED.sub(lambda found: bytes((ord(found[1]), ord(found[2]))).decode(), text)
    name = " ".join(text.split())
    return None if name.lower() in NO_NAME else name
