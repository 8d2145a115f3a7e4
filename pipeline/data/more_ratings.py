"""Ratings that came after training, in a file of their own: of people whom the data set knows, and of others.

They are read as the data set's own: columns under its names (`source.rename`), its codes for "not rated", its threshold of a like, and
what is no like for it. To the ratings of somebody who is known they are added; where both are about an item, those of the file count.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from pipeline.common.errors import InputError, quoted, shortened
from pipeline.data.settings import DatasetConfig
from pipeline.data.sources.delimited import names_for, read_table, renamed
from pipeline.data.sources.not_rated import only_rated
from pipeline.data.sources.rows_are_likes import with_each_row_a_like
from pipeline.data.sources.tidy import distinct_interactions

# Of the rows, as many may be about items that are not known: beyond it the ids are of something else, and lists would be for nobody.
MOST_UNKNOWN = 0.5


@dataclass(frozen=True)
class MoreRatings:
    """
    Attributes:
        file: where they were read.
        users: whose rows the file has, each once, as they come.
        rows: user_id, item_id, like; each pair of user and item once, in the order of the file.
        remarks: what was left out of them on the way.
    """

    file: str
    users: list[str]
    rows: pl.DataFrame
    remarks: list[str]


@dataclass(frozen=True)
class Unknown:
    """Rows about items that are not known.

    Attributes:
        rows: how many.
        items: their ids, each once, as they come.
    """

    rows: int
    items: list[str]


def read_more_ratings(
    path: Path,
    config: DatasetConfig,
    rename: Mapping[str, str],
    not_rated: Sequence[float],
    *,
    rows_are_likes: bool = False,
) -> MoreRatings:
    """
    Args:
        path: a table in any form in which a data set's may be.
        config: of the data set.
        rename: of its source; what the file does not have is not renamed.
        not_rated, rows_are_likes: likewise; a file that has ratings or likes is read by them.

    Raises:
        InputError: it cannot be read, lacks a column, has a row that cannot be, or rates an item twice without saying when.
    """
    table = read_table(path)
    ways = names_for("interactions", table, rename)
    table = renamed(table, {column: rename[way] for column, way in ways.items()})
    remarks: list[str] = []
    if "rating" in table.frame.columns:
        table, remarks = only_rated(table, not_rated)
    elif rows_are_likes and "like" not in table.frame.columns:
        table, remarks = with_each_row_a_like(table)
    interactions = distinct_interactions(table, remarks)
    rated = interactions["like"].null_count() > 0
    if rated and config.like_threshold is None:
        raise InputError(
            f"{table.file}: column rating: the data set has likes and no like_threshold, expected a column like instead"
        )
    like = pl.col("rating") >= config.like_threshold if rated else pl.col("like")
    rows = interactions.select("user_id", "item_id", like=like)
    if config.feedback != "rated":
        liked = rows.filter("like")
        if len(liked) < len(rows):
            remarks.append(
                f"{table.file}: {len(rows) - len(liked)} of {len(rows)} rows are not likes and do not count (feedback: {config.feedback})"
            )
        rows = liked
    users = interactions["user_id"].unique(maintain_order=True).to_list()
    return MoreRatings(table.file, users, rows, remarks)


def of_known_items(more: MoreRatings, items: pl.DataFrame, *, refuse: bool) -> tuple[pl.DataFrame, Unknown]:
    """The rows about items that are known, with the items' indices, and what the others are.

    What is rated at night holds items that came in the day, and the job must not end for that; a file of other ids
    altogether is a mistake.

    Args:
        items: item, item_id.
        refuse: a row about another item is a mistake.

    Returns:
        user_id, item, like; and the unknown.

    Raises:
        InputError: there are unknown ones and they are refused, or they are more than `MOST_UNKNOWN` of the rows.
    """
    known = more.rows.join(items.select("item", "item_id"), on="item_id", how="inner", maintain_order="left")
    others = more.rows.filter(~pl.col("item_id").is_in(items["item_id"].implode()))
    unknown = Unknown(len(others), others["item_id"].unique(maintain_order=True).to_list())
    if unknown.rows and (refuse or unknown.rows > MOST_UNKNOWN * len(more.rows)):
        expected = "none" if refuse else "most of them about items of the data set"
        raise InputError(f"{more.file}: {in_words(unknown, len(more.rows))}; expected {expected}")
    return known.select("user_id", "item", "like"), unknown


def in_words(unknown: Unknown, rows: int) -> str:
    count = "one item" if len(unknown.items) == 1 else f"{len(unknown.items):,} items"
    named = shortened(", ".join(map(quoted, unknown.items[:3])))
    more = ", ..." if unknown.items[3:] else ""
    return f"found {unknown.rows:,} of {rows:,} rows about {count} that the model does not know: {named}{more}"


def added_to(known: pl.DataFrame, more: pl.DataFrame) -> pl.DataFrame:
    """Ratings with those that came later: these count where both are about an item.

    Args:
        known: user_id, item, like; of people who have none among the later ones as well.
        more: likewise.

    Returns:
        user_id, item, like; of people who have some among the later ones.
    """
    theirs = known.filter(pl.col("user_id").is_in(more["user_id"].unique().implode()))
    return pl.concat([theirs.join(more, on=["user_id", "item"], how="anti"), more])
