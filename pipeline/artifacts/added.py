"""Items that came after training: what `crmman items add` keeps of them, and what `add_items` makes of it. There may be none."""

from __future__ import annotations

from dataclasses import replace

import polars as pl

from pipeline.artifacts.data import SOURCE_ITEM_ENTITIES, SOURCE_ITEMS, SOURCE_KG, SOURCE_VECTORS
from pipeline.artifacts.graph import RELATIONS
from pipeline.artifacts.kinds import Table, Tensors
from pipeline.common.errors import InputError

# crmman items add: their tables, a source beside that of the data set
ADDED_ITEMS = replace(SOURCE_ITEMS, path="added/{dataset}/items.parquet", not_empty=False)
ADDED_KG = replace(SOURCE_KG, path="added/{dataset}/kg.parquet", not_empty=False)
ADDED_ITEM_ENTITIES = replace(SOURCE_ITEM_ENTITIES, path="added/{dataset}/item_entities.parquet", not_empty=False)
# There is no such file where items were added before there were vectors.
ADDED_VECTORS = replace(SOURCE_VECTORS, path="added/{dataset}/vectors.parquet")
ADDED = (ADDED_ITEMS, ADDED_KG, ADDED_ITEM_ENTITIES, ADDED_VECTORS)


def read_added_items(dataset: str, known: pl.DataFrame) -> pl.DataFrame:
    """ADDED_ITEMS, or none of them where nothing was ever added.

    Args:
        known: item_id and columns, of the data set.

    Raises:
        InputError: it has other columns by now.
    """
    path = ADDED_ITEMS.at(dataset)
    if not path.is_file():
        return known.clear()
    items = ADDED_ITEMS.read(dataset)
    if dict(items.schema) != dict(known.schema):
        raise InputError(
            f"{path}: found other columns than the items of {dataset} now have; remove {path.parent} and add the items again"
        )
    return items


# add_items: as the items of the data set have them, numbered after these
MORE_ITEMS = Table(
    "artifacts/{dataset}/added/items.parquet",
    {"item": pl.Int32, "item_id": pl.String},
    key=("item",),
    more=True,
    not_empty=False,
    traced=True,
)
MORE_KG = replace(ADDED_KG, path="artifacts/{dataset}/added/kg.parquet")
MORE_ITEM_ENTITIES = replace(ADDED_ITEM_ENTITIES, path="artifacts/{dataset}/added/item_entities.parquet")
# Numbers of items from 0, of those added; of entities those of ENTITIES, and higher ones for others.
MORE_RELATIONS = replace(RELATIONS, path="artifacts/{dataset}/added/relations.parquet", not_empty=False)
# From an item of the data set to one of those added, which are numbered from 0.
MORE_EDGES = Table(
    "artifacts/{dataset}/added/edges.parquet",
    {"source": pl.Int32, "target": pl.Int32, "overlap": pl.Int32},
    key=("source", "target"),
    not_empty=False,
)
# And of kinds of vectors that lay beside the tables some items were added by, under `given.` and their names.
MORE_VECTORS = Tensors("artifacts/{dataset}/added/vectors.safetensors", {"text": 2, "initial": 2, "structure": 2})
MORE = (MORE_ITEMS, MORE_KG, MORE_ITEM_ENTITIES, MORE_RELATIONS, MORE_EDGES, MORE_VECTORS)
