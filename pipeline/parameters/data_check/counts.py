"""What four tables hold, in numbers."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from pipeline.data.sources.tidy import TidyTables
from pipeline.data.splits import SPLITS

# A history shorter than this says little, and leaves nothing to learn from once it is split.
FEW_RATINGS = 5
SHOWN_VALUES = 12


@dataclass(frozen=True)
class Counts:
    """
    Attributes:
        density: interactions over users x items.
        ratings_of_users: median over users.
        users_with_few: users with fewer ratings than `FEW_RATINGS`.
        items_rated, items_with_text, items_with_entity: how many of the items.
        entities: heads and tails of the triples.
        timestamps: a temporal split is possible.
        splits: interactions in each part of a split that a column gives; empty where there is no such column.
    """

    users: int
    items: int
    interactions: int
    density: float
    ratings_of_users: float
    users_with_few: int
    items_rated: int
    items_with_text: int
    items_with_entity: int
    triples: int
    entities: int
    relations: int
    timestamps: bool
    splits: dict[str, int]


@dataclass(frozen=True)
class Scale:
    """
    Attributes:
        counts: rating to how often it was given; empty where there are more different ones than `SHOWN_VALUES`.
    """

    low: float
    high: float
    values: int
    counts: dict[str, int]


def counts_of(tables: TidyTables, with_text: int) -> Counts:
    """Counts and shares.

    Args:
        with_text: items whose text is not empty.
    """
    interactions, items = tables.interactions, tables.items
    of_user = interactions.group_by("user_id").len()["len"]
    return Counts(
        users=len(of_user),
        items=len(items),
        interactions=len(interactions),
        density=len(interactions) / (len(of_user) * len(items)),
        ratings_of_users=float(of_user.median()),  # type: ignore[arg-type]
        users_with_few=int((of_user < FEW_RATINGS).sum()),
        items_rated=interactions["item_id"].n_unique(),
        items_with_text=with_text,
        items_with_entity=tables.item_entities["item_id"].n_unique(),
        triples=len(tables.kg),
        entities=pl.concat([tables.kg["head"], tables.kg["tail"]]).n_unique(),
        relations=tables.kg["relation"].n_unique(),
        timestamps=not interactions["timestamp"].has_nulls(),
        splits={part: count for part in SPLITS if (count := int((interactions["split"] == part).sum()))},
    )


def scale_of(ratings: pl.Series) -> Scale | None:
    """None where the interactions have likes and no ratings."""
    if ratings.null_count():
        return None
    counts = ratings.value_counts().sort(ratings.name)
    values = counts[ratings.name]
    shown = {f"{value:g}": count for value, count in counts.iter_rows()} if len(counts) <= SHOWN_VALUES else {}
    return Scale(float(values[0]), float(values[-1]), len(counts), shown)
