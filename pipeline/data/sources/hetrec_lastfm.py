"""HetRec 2011 Last.fm (hetrec2011-lastfm-2k): how often people played artists, and the tags they gave them.

Tab-separated files with a header; artists.dat is UTF-8, tags.dat Latin-1. There are no ratings: whoever played an artist often
enough likes it. The knowledge graph is (artist, tag, TAG) where enough people gave the tag.
"""

from __future__ import annotations

from typing import Literal

import polars as pl
from pydantic import Field

from pipeline.common.errors import InputError
from pipeline.data.feedback import Feedback
from pipeline.data.sources.files import DataFile, Files, FilesSource
from pipeline.data.sources.item_triples import item_triples
from pipeline.data.sources.lines import Encoding, Kind, read_columns, read_lines
from pipeline.data.sources.tidy import RawTable, TidyTables, tidy

PLAYS: dict[str, Kind] = {"user_id": pl.Int64, "item_id": pl.Int64, "plays": pl.Int64}
TAGGED: dict[str, Kind] = {"user_id": pl.Int64, "item_id": pl.Int64, "tag_id": pl.Int64}
TAGS_IN_TEXT = 5


class HetrecLastfmSource(FilesSource):
    type: Literal["hetrec-lastfm"] = Field(description="HetRec 2011 Last.fm 2K")
    min_plays: int = Field(default=1, ge=1, description="An artist with at least this many plays is liked")
    fewer_plays: Literal["drop", "dislike"] = Field(
        default="drop", description="Artists with fewer plays: dropped, or disliked"
    )
    min_taggers: int = Field(default=2, ge=1, description="An artist has a tag if at least this many people gave it")

    def read(self) -> TidyTables:
        """Read and check the data set.

        Raises:
            InputError: files are missing, a line cannot be read, or a table does not pass the checks.
        """
        files = self.files()
        plays = read_columns(files.get("user_artists.dat"), "\t", PLAYS, header=("userID", "artistID", "weight"))
        liked = plays.frame.with_columns(like=pl.col("plays") >= self.min_plays)
        remarks = []
        fewer = int((~liked["like"]).sum())
        if fewer and self.fewer_plays == "drop":
            remarks.append(f"{plays.file}: {fewer} artists played less than {self.min_plays} times are left out")
        lines: list[int] = []
        if self.fewer_plays == "drop":
            lines = (liked["like"].arg_true() + 2).to_list()
            liked = liked.filter("like")
        artists, tags_file = read_artists(files), files.get("tags.dat")
        tags = self._tags(files, tags_file, artists.frame)
        described = artists.frame.with_columns(
            tags=tags.list.head(TAGS_IN_TEXT).list.join(", ").replace("", None).alias("tags")
        )
        kg, links = item_triples(artists.frame, "artist", {"tag": tags}, str(tags_file))
        interactions = RawTable(liked.select("user_id", "item_id", "like"), plays.file, 2, lines)
        items = RawTable(described, artists.file, artists.first_row, artists.lines)
        has_dislikes = bool(fewer) and self.fewer_plays == "dislike"
        feedback: Feedback = "rated" if has_dislikes else "liked"
        tables = tidy(interactions, items, kg, links, mend=True, feedback=feedback)
        tables.remarks[:0] = remarks
        return tables

    def _tags(self, files: Files, tags_file: DataFile, artists: pl.DataFrame) -> pl.Series:
        """Tags of each artist, those that most people gave first."""
        tagged = read_columns(
            files.get("user_taggedartists.dat"), "\t", TAGGED, header=("userID", "artistID", "tagID")
        ).frame
        names = [(row[0], row[1].strip().lower()) for _, row in _rows(tags_file, ("tagID", "tagValue"), "latin-1")]
        tags = pl.DataFrame(names, schema={"tag_id": pl.String, "tag": pl.String}, orient="row").unique(
            "tag_id", keep="first", maintain_order=True
        )
        counted = (
            tagged.with_columns(pl.col("tag_id", "item_id").cast(pl.String))
            .join(tags, on="tag_id", how="inner")
            .group_by("item_id", "tag")
            .agg(taggers=pl.col("user_id").n_unique())
            .filter((pl.col("taggers") >= self.min_taggers) & (pl.col("tag") != ""))
            .sort(["item_id", "taggers", "tag"], descending=[False, True, False])
            .group_by("item_id", maintain_order=True)
            .agg("tag")
        )
        joined = artists.join(counted, on="item_id", how="left", maintain_order="left")
        return joined["tag"].fill_null(pl.Series([[]], dtype=pl.List(pl.String)))


def read_artists(files: Files) -> RawTable:
    """Artists as item_id and title, which is their name.

    Raises:
        InputError: there is no such file, or a line of it has no name.
    """
    file = files.get("artists.dat")
    artists, lines = [], []
    for number, (artist, name) in _rows(file, ("id", "name"), "either"):
        artists.append((artist, " ".join(name.split()) or None))
        lines.append(number)
    frame = pl.DataFrame(artists, schema={"item_id": pl.String, "title": pl.String}, orient="row")
    return RawTable(frame, str(file), 2, lines)


def _rows(file: DataFile, columns: tuple[str, str], encoding: Encoding) -> list[tuple[int, tuple[str, str]]]:
    """Line number and the two columns, which are the first, of each row."""
    first, *lines = read_lines(file, encoding)
    header = first.split("\t")
    if tuple(header[:2]) != columns:
        raise InputError(
            f"{file}: line 1: found {', '.join(header)[:160]}, expected a header that starts with {', '.join(columns)}"
        )
    rows = []
    for number, line in enumerate(lines, start=2):
        fields = line.split("\t")
        if len(fields) < 2:
            raise InputError(f"{file}: line {number}: found {len(fields)} fields, expected {len(header)}")
        if not fields[0].strip():
            raise InputError(f"{file}: column {columns[0]}, line {number}: found no value, expected an id")
        rows.append((number, (fields[0].strip(), fields[1])))
    return rows
