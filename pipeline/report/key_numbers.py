"""What the data is, in a few numbers."""

from __future__ import annotations

from typing import NamedTuple

import polars as pl


class KeyNumber(NamedTuple):
    """A number as it is shown, and what it counts."""

    value: str
    label: str


def key_numbers(
    interactions: pl.DataFrame,
    users: int,
    items: pl.DataFrame,
    texts: list[str],
    kg: pl.DataFrame,
    item_entities: pl.DataFrame,
) -> list[KeyNumber]:
    """
    Args:
        interactions: user, item, like.
        users: how many.
        items: item, item_id.
        texts: of the items, empty where an item has none.
        kg: head, relation, tail.
        item_entities: item_id, entity_id.
    """
    graph = []
    if len(kg):
        linked = items["item_id"].is_in(item_entities["item_id"].unique().to_list()).sum()
        graph = [
            KeyNumber(f"{linked / len(items):.0%}", "of the items have an entity"),
            KeyNumber(f"{len(kg):,}", f"triples, {kg['relation'].n_unique():,} relations"),
        ]
    return [
        KeyNumber(f"{users:,}", "users"),
        KeyNumber(f"{len(items):,}", "items"),
        KeyNumber(f"{len(interactions):,}", "ratings"),
        KeyNumber(f"{interactions['like'].sum() / len(interactions):.0%}", "of them likes"),
        KeyNumber(f"{len(interactions) / (users * len(items)):.2%}", "of all pairs are rated"),
        KeyNumber(f"{sum(map(bool, texts)) / len(items):.0%}", "of the items have text"),
        *graph,
    ]


def split_sentence(interactions: pl.DataFrame, users: pl.DataFrame) -> str:
    """How many ratings are in each split, and of how many users figures are, if not of all.

    Args:
        interactions: split.
        users: with a column `evaluated` where some were drawn.
    """
    sizes = dict(interactions["split"].value_counts().iter_rows())
    train, valid, test = (f"{sizes.get(part, 0):,}" for part in ("train", "valid", "test"))
    kept = (
        f"{train} ratings train the models, {valid} choose their settings, and {test} are kept for the figures below."
    )
    if "evaluated" not in users.columns:
        return kept
    return f"{kept} Settings and figures are based on {users['evaluated'].sum():,} users drawn at random."
