"""What is around items that came after the item graph was made, and whom they join there by the same S_m.

The items of the graph keep what they have: an added one is joined to them, and they are not joined to it. So what it is does not depend on
what else is added, in whatever order.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import polars as pl

from pipeline.graph.matrices import incidence_around
from pipeline.graph.relations import relations_around
from pipeline.graph.settings import ItemGraphConfig
from pipeline.graph.triples import triples_around

# Items whose overlaps with all of the graph are there at once.
BLOCK = 256


class AroundAdded(NamedTuple):
    """
    Attributes:
        relations: item (from 0, of those added), relation, inverse, entity. Entities that are around no other item have numbers after those
            that are.
        edges: source (of the graph), target (from 0, of those added), overlap: of pairs that share more than S_m entities.
    """

    relations: pl.DataFrame
    edges: pl.DataFrame


def around_added(
    kg: pl.DataFrame,
    item_entities: pl.DataFrame,
    added: Sequence[str],
    known: pl.DataFrame,
    entities: pl.DataFrame,
    config: ItemGraphConfig,
) -> AroundAdded:
    """
    Args:
        kg: head, relation, tail: that of the data set, and what came with the items.
        item_entities: item_id, entity_id, of those added.
        added: ids of those added.
        known: RELATIONS, of the items of the graph.
        entities: ENTITIES.
    """
    items = pl.DataFrame(
        {"item": pl.Series(range(len(added)), dtype=pl.Int32), "item_id": pl.Series(added, dtype=pl.String)}
    )
    found = relations_around(triples_around(kg, item_entities, items, config.leave_out_relations))
    names = found.entities.join(
        entities.rename({"entity": "number"}), on="entity_id", how="left", maintain_order="left"
    )
    is_new = names["number"].is_null()
    numbers = (
        pl.when(pl.col("number").is_null())
        .then(is_new.cum_sum().cast(pl.Int64) + (len(entities) - 1))
        .otherwise("number")
    )
    names = names.select("entity", number=numbers.cast(pl.Int32))
    relations = found.relations.join(names, on="entity", how="left").select(
        "item", "relation", "inverse", entity="number"
    )
    relations = relations.sort("item", "relation", "inverse", "entity")
    return AroundAdded(relations, _edges(known, relations, len(added), config.s_m))


def _edges(known: pl.DataFrame, added: pl.DataFrame, count: int, s_m: int) -> pl.DataFrame:
    entities = int(known["entity"].max() or 0) + 1  # type: ignore[arg-type]
    items = int(known["item"].max() or 0) + 1  # type: ignore[arg-type]
    mine, theirs = (incidence_around(*one, entities) for one in ((added, count), (known, items)))
    found = []
    # What few share with many is as wide as the graph: some rows at a time.
    for first in range(0, max(count, 1), BLOCK):
        overlaps = (mine[first : first + BLOCK] @ theirs.T).tocoo()
        kept = overlaps.data > s_m
        columns = {"source": overlaps.col[kept], "target": first + overlaps.row[kept], "overlap": overlaps.data[kept]}
        found.append(pl.DataFrame({name: values.astype(np.int32) for name, values in columns.items()}))
    return pl.concat(found).sort("source", "target")
