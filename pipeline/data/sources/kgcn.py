"""The layout in which RippleNet, MKR, KGCN, KGNN-LS and CKAN publish their data.

| file | rows |
|---|---|
| ratings.csv, ratings.dat, user_artists.dat or BX-Book-Ratings.csv | ratings as their own publishers wrote them |
| item_index2entity_id.txt | item in the ratings, its entity |
| kg.txt | head, relation, tail |

or, as their programs write it: ratings_final.txt (user, item, 1 or 0) and kg_final.txt, in which item i is entity i. Half of its rows
are zeros that the programs sampled from what a user never rated. The items are those that item_index2entity_id.txt links; they
have titles where the films', books' or artists' file lies beside.
"""

from __future__ import annotations

from typing import Literal

import polars as pl
from pydantic import Field

from pipeline.data.feedback import Feedback
from pipeline.data.sources.book_crossing import IMPLICIT_MEANING, Implicit, read_book_ratings, read_books
from pipeline.data.sources.files import Files, FilesSource
from pipeline.data.sources.hetrec_lastfm import read_artists
from pipeline.data.sources.lines import Kind, read_columns
from pipeline.data.sources.movielens import RATINGS, read_movies
from pipeline.data.sources.tidy import RawTable, TidyTables, tidy

TRIPLES: dict[str, Kind] = {"head": pl.String, "relation": pl.String, "tail": pl.String}
LINKS: dict[str, Kind] = {"item_id": pl.String, "entity_id": pl.String}
FINAL: dict[str, Kind] = {"user_id": pl.Int64, "item_id": pl.Int64, "like": pl.Int64}
PLAYS: dict[str, Kind] = {"user_id": pl.Int64, "item_id": pl.Int64, "rating": pl.Float32}
RATING_FILES = ("ratings.csv", "ratings.dat", "user_artists.dat", "BX-Book-Ratings.csv")
LINK_FILES = ("item_index2entity_id.txt", "item_index2entity_id_rehashed.txt")
KG_FILES = ("kg.txt", "kg_rehashed.txt")


class KgcnSource(FilesSource):
    type: Literal["kgcn"] = Field(description="The layout of RippleNet, MKR, KGCN, KGNN-LS and CKAN")
    implicit: Implicit = Field(default="drop", description=IMPLICIT_MEANING)

    def read(self) -> TidyTables:
        """Read and check the data set.

        Raises:
            InputError: files are missing, a line cannot be read, or a table does not pass the checks.
        """
        files = self.files()
        remarks: list[str] = []
        if files.find(*RATING_FILES) is None and files.find("ratings_final.txt"):
            tables = self._final(files, remarks)
        else:
            tables = self._published(files, remarks)
        tables.remarks[:0] = remarks
        return tables

    def _published(self, files: Files, remarks: list[str]) -> TidyTables:
        ratings = self._ratings(files, remarks)
        kg = read_columns(files.get(*KG_FILES), "\t", TRIPLES)
        links = _stripped(read_columns(files.get(*LINK_FILES), "\t", LINKS))
        items = RawTable(links.frame.select("item_id").unique(maintain_order=True), links.file)
        # Who played something less than others did not dislike it.
        feedback: Feedback = "liked" if files.get(*RATING_FILES).name.lower() == "user_artists.dat" else "rated"
        return tidy(
            ratings, _with_titles(items, files, remarks), kg, links, mend=True, least_known=0.0, feedback=feedback
        )

    def _ratings(self, files: Files, remarks: list[str]) -> RawTable:
        file = files.get(*RATING_FILES, "ratings_final.txt")
        name = file.name.lower()
        if name == "bx-book-ratings.csv":
            return read_book_ratings(files, self.implicit, remarks)
        if name == "user_artists.dat":
            return read_columns(file, "\t", PLAYS, header=("userID", "artistID", "weight"))
        if name == "ratings.dat":
            return read_columns(file, "::", RATINGS)
        return read_columns(file, ",", RATINGS, header=("userId", "movieId", "rating", "timestamp"))

    def _final(self, files: Files, remarks: list[str]) -> TidyTables:
        ratings = read_columns(files.get("ratings_final.txt"), "\t", FINAL)
        zeros = int((ratings.frame["like"] == 0).sum())
        if zeros:
            remarks.append(
                f"{ratings.file}: {zeros} zeros were sampled by its publisher: they need `feedback: sampled`"
            )
        kg = read_columns(files.get("kg_final.txt"), "\t", TRIPLES)
        link_file = files.find(*LINK_FILES)
        if link_file:
            # Item i is the i-th line; its own id, by which titles are found, is of no more use.
            theirs = _stripped(read_columns(link_file, "\t", LINKS)).frame.unique("item_id", maintain_order=True)
            titled = _with_titles(RawTable(theirs.select("item_id"), str(link_file)), files, remarks)
            count = len(theirs)
            index = pl.Series("item_id", range(count), dtype=pl.Int64)
            items = RawTable(titled.frame.with_columns(index), titled.file)
        else:
            items = RawTable(ratings.frame.select(pl.col("item_id").unique().sort()), ratings.file)
        ids = items.frame["item_id"]
        links = RawTable(pl.DataFrame({"item_id": ids, "entity_id": ids}), items.file)
        return tidy(ratings, items, kg, links, mend=True, least_known=0.0, feedback="sampled")


def _stripped(table: RawTable) -> RawTable:
    """Links without blanks around them, and with ISBNs as the books' reader writes them: 34545104x is 34545104X."""
    frame = table.frame.with_columns(pl.all().str.strip_chars()).with_columns(pl.col("item_id").str.to_uppercase())
    return RawTable(frame, table.file, table.first_row)


def _with_titles(items: RawTable, files: Files, remarks: list[str]) -> RawTable:
    """The items with what the films', books' or artists' file says of them, if one is there."""
    if files.find("movies.csv", "movies.dat"):
        described = read_movies(files)[0]
    elif files.find("BX-Books.csv", "BX_Books.csv", "Books.csv"):
        described = read_books(files, remarks)
    elif files.find("artists.dat"):
        described = read_artists(files)
    else:
        remarks.append(f"{items.file}: there is no file of titles next to it: items are known only by their graph")
        return items
    known = described.frame.unique("item_id", keep="first", maintain_order=True)
    joined = items.frame.join(known, on="item_id", how="left", maintain_order="left")
    return RawTable(joined, items.file)
