"""MovieLens as GroupLens publishes it, of any size and age.

| sizes | files | notes |
|---|---|---|
| latest, 20M, 25M, 32M | ratings.csv, movies.csv | UTF-8, quoted titles |
| 1M, 10M | ratings.dat, movies.dat | ``::`` between fields; 1M is Latin-1, 10M UTF-8 |
| 100K | u.data, u.item, u.genre | tabs and ``|``; Latin-1; one flag for each genre |

GroupLens publishes no knowledge graph: it is made of genres, years and decades, or read from files named by parameter.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import PurePosixPath
from typing import Literal

import polars as pl
from pydantic import Field, model_validator

from pipeline.common.errors import InputError, quoted
from pipeline.data.sources.atomic import atomic_table
from pipeline.data.sources.delimited import read_table_of
from pipeline.data.sources.files import DataFile, Files, FilesSource
from pipeline.data.sources.item_triples import decades, item_triples
from pipeline.data.sources.lines import Kind, read_columns, read_lines
from pipeline.data.sources.tidy import RawTable, TidyTables, tidy

RATINGS: dict[str, Kind] = {"user_id": pl.Int64, "item_id": pl.Int64, "rating": pl.Float32, "timestamp": pl.Int64}
CSV_RATINGS = ("userId", "movieId", "rating", "timestamp")
CSV_MOVIES = ("movieId", "title", "genres")
NO_GENRE = ("(no genres listed)", "unknown")
# "(1995)"; series have "(1975-1979)", "(2009-)"; and video or television films "(1995) (V)".
YEAR = re.compile(r"^(.*?)\s*\((\d{4})(?:[-–]\d{0,4})?\)(?:\s*\((?:V|TV|mini)\))?\s*$", re.DOTALL)
FIELDS_BEFORE_GENRES = 5


class MovieLensSource(FilesSource):
    type: Literal["movielens"] = Field(description="MovieLens of any size, as GroupLens publishes it")
    kg_triples: str | None = Field(
        default=None,
        description="A table of head, relation, tail in the folder (or a RecBole .kg), used instead of genres and years",
    )
    kg_links: str | None = Field(
        default=None, description="A table of item_id, entity_id in the folder (or a RecBole .link), with `kg_triples`"
    )

    @model_validator(mode="after")
    def _triples_and_links_go_together(self) -> MovieLensSource:
        if (self.kg_triples is None) != (self.kg_links is None):
            missing = "kg_triples" if self.kg_triples is None else "kg_links"
            raise ValueError(f"{missing}: found nothing, expected a file: kg_triples and kg_links go together")
        return self

    def read(self) -> TidyTables:
        """Read and check the data set.

        Raises:
            InputError: files are missing, a line cannot be read, or a table does not pass the checks.
        """
        files = self.files()
        ratings, movies, genres = _read_ratings(files), *read_movies(files)
        if self.kg_triples is not None and self.kg_links is not None:
            kg = _own_table(self.own_file(self.kg_triples, "kg_triples"))
            links = _own_table(self.own_file(self.kg_links, "kg_links"))
        else:
            year = movies.frame["year"]
            kg, links = item_triples(
                movies.frame, "movie", {"genre": genres, "year": year, "decade": decades(year)}, movies.file
            )
        return tidy(ratings, movies, kg, links, mend=True, feedback="rated")


def _read_ratings(files: Files) -> RawTable:
    file = files.get("ratings.csv", "ratings.dat", "u.data")
    if file.name.lower() == "ratings.csv":
        return read_columns(file, ",", RATINGS, header=CSV_RATINGS)
    return read_columns(file, "::" if file.name.lower() == "ratings.dat" else "\t", RATINGS)


def read_movies(files: Files) -> tuple[RawTable, pl.Series]:
    """Films as item_id, title, year, genres, and beside them the genres as lists.

    Raises:
        InputError: there is no file of films, or a line of it cannot be read.
    """
    file = files.get("movies.csv", "movies.dat", "u.item")
    if file.name.lower() == "movies.csv":
        table = read_table_of(file.content(), str(file), ".csv")
        for name in CSV_MOVIES:
            if name not in table.frame.columns:
                found = ", ".join(table.frame.columns)
                raise InputError(f"{file}: line 1: found {found}, expected a header with {', '.join(CSV_MOVIES)}")
        rows = table.frame.select(CSV_MOVIES).fill_null("").rows()
        return _films(((movie, title, genres.split("|")) for movie, title, genres in rows), table)
    of_layout = RawTable(pl.DataFrame(), str(file), first_row=1)
    if file.name.lower() == "movies.dat":
        return _films(_dat_films(file), of_layout)
    return _films(_item_films(file, _genre_names(files.get("u.genre"))), of_layout)


def _dat_films(file: DataFile) -> Iterable[tuple[str, str, list[str]]]:
    for number, line in enumerate(read_lines(file, "either"), start=1):
        # A title may have the separator in it; an id and genres do not.
        movie, first, rest = line.partition("::")
        title, second, genres = rest.rpartition("::")
        if not (first and second):
            raise InputError(f"{file}: line {number}: found {line.count('::') + 1} fields, expected 3")
        yield movie, title, genres.split("|")


def _item_films(file: DataFile, names: list[str]) -> Iterable[tuple[str, str, list[str]]]:
    for number, line in enumerate(read_lines(file, "latin-1"), start=1):
        fields = line.split("|")
        expected = FIELDS_BEFORE_GENRES + len(names)
        if len(fields) != expected:
            raise InputError(
                f"{file}: line {number}: found {len(fields)} fields, expected {expected}: "
                f"{FIELDS_BEFORE_GENRES} and a flag for each of {len(names)} genres"
            )
        flags = fields[FIELDS_BEFORE_GENRES:]
        for flag in flags:
            if flag not in ("0", "1"):
                raise InputError(f"{file}: line {number}: found the flag {quoted(flag)}, expected 0 or 1")
        yield fields[0], fields[1], [name for name, flag in zip(names, flags, strict=True) if flag == "1"]


def _genre_names(file: DataFile) -> list[str]:
    names = {}
    for number, line in enumerate(read_lines(file, "latin-1"), start=1):
        if not line.strip():
            continue
        name, separator, place = line.partition("|")
        if not separator or not place.strip().isdecimal():
            raise InputError(f"{file}: line {number}: found {quoted(line)}, expected NAME|NUMBER")
        names[int(place)] = name
    if sorted(names) != list(range(len(names))):
        raise InputError(f"{file}: found the numbers {sorted(names)}, expected 0 to {len(names) - 1}")
    return [names[place] for place in range(len(names))]


def _films(rows: Iterable[tuple[str, str, list[str]]], table: RawTable) -> tuple[RawTable, pl.Series]:
    films, lists = [], []
    for movie, title, genres in rows:
        known = [genre.strip() for genre in genres if genre.strip() and genre.strip() not in NO_GENRE]
        films.append((movie.strip() or None, *split_title(title), ", ".join(known) or None))
        lists.append(known)
    schema = {"item_id": pl.String, "title": pl.String, "year": pl.Int32, "genres": pl.String}
    frame = pl.DataFrame(films, schema=schema, orient="row")
    return RawTable(frame, table.file, table.first_row, table.lines), pl.Series(lists, dtype=pl.List(pl.String))


def split_title(title: str) -> tuple[str | None, int | None]:
    """Title and year of a film; a series has the year in which it began.

    >>> split_title("Seven (a.k.a. Se7en) (1995)")
    ('Seven (a.k.a. Se7en)', 1995)
    >>> split_title("Babylon 5")
    ('Babylon 5', None)
    """
    found = YEAR.match(title)
    if found and found[1].strip():
        return found[1].strip(), int(found[2])
    return title.strip() or None, None


def _own_table(file: DataFile) -> RawTable:
    ending = PurePosixPath(file.name).suffix
    if ending in (".kg", ".link"):
        return atomic_table(file.content(), str(file))
    return read_table_of(file.content(), str(file), ending)
