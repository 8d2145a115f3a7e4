"""What is around each item, by relation: the triples that make N_i, with the name of the relation kept."""

from __future__ import annotations

from typing import NamedTuple

import polars as pl

from pipeline.graph.triples import LinkedTriples


class Around(NamedTuple):
    """
    Attributes:
        relations: item, relation, inverse, entity: each once, sorted; inverse where the item's entity is the tail of the triple.
            Relations that are left out, and triples from an entity to itself, have no row.
        entities: entity, entity_id: numbered from 0 by name.
    """

    relations: pl.DataFrame
    entities: pl.DataFrame


def relations_around(around: LinkedTriples) -> Around:
    """
    Args:
        around: of `triples_around`.
    """
    found = pl.DataFrame(
        {
            "item": pl.Series(around.rows, dtype=pl.Int32),
            "relation": around.relation_names.gather(around.relations),
            "inverse": around.inverse,
            "entity": pl.Series(around.others, dtype=pl.Int32),
        }
    )
    numbers = pl.Series("entity", range(len(around.other_names)), dtype=pl.Int32)
    return Around(
        found.unique().sort("item", "relation", "inverse", "entity"),
        pl.DataFrame([numbers, around.other_names.alias("entity_id")]),
    )
