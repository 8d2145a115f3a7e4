"""What is around each item, by relation: the triples that make N_i, with the name of the relation kept."""

from __future__ import annotations

import polars as pl

from pipeline.graph.settings import ItemGraphConfig
from pipeline.graph.triples import linked_triples


def relations_around(
    kg: pl.DataFrame, item_entities: pl.DataFrame, items: pl.DataFrame, config: ItemGraphConfig
) -> pl.DataFrame:
    """
    Args:
        kg: head, relation, tail.
        item_entities: item_id, entity_id.
        items: item (0-based), item_id.

    Returns:
        item, relation, inverse, entity: each once, sorted; inverse where the item's entity is the tail of the triple. Entities
        are numbered from 0 by name. Relations that are left out, and triples from an entity to itself, have no row.
    """
    triples = kg.filter(
        ~pl.col("relation").is_in(list(config.leave_out_relations)) & (pl.col("head") != pl.col("tail"))
    )
    links = item_entities.join(items.select("item_id", row="item"), on="item_id", how="inner")
    around = linked_triples(triples, links)
    found = pl.DataFrame(
        {
            "item": pl.Series(around.rows, dtype=pl.Int32),
            "relation": around.relation_names.gather(around.relations),
            "inverse": around.inverse,
            "entity": pl.Series(around.others, dtype=pl.Int32),
        }
    )
    return found.unique().sort("item", "relation", "inverse", "entity")
