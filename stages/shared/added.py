"""Items that were added after training, as stages and verbs read them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from pipeline.artifacts.added import MORE_EDGES, MORE_ITEMS, MORE_RELATIONS, MORE_VECTORS
from pipeline.artifacts.data import SOURCE_VECTORS
from pipeline.artifacts.graph import ENTITIES, RELATIONS
from pipeline.artifacts.image import IMAGE_VECTORS
from pipeline.artifacts.structure import DERIVED_EDGES, GAT_WEIGHTS, INITIAL_VECTORS, STRUCTURE_VECTORS
from pipeline.artifacts.text import TEXT_VECTORS
from pipeline.users.settings import VariantConfig

if TYPE_CHECKING:
    from numpy.typing import NDArray

# What is read where items were added, whatever the model.
ADDED_READS = (
    MORE_ITEMS,
    MORE_RELATIONS,
    MORE_EDGES,
    MORE_VECTORS,
    RELATIONS,
    ENTITIES,
    SOURCE_VECTORS,
    IMAGE_VECTORS,
    TEXT_VECTORS,
    DERIVED_EDGES,
    INITIAL_VECTORS,
    STRUCTURE_VECTORS,
    GAT_WEIGHTS,
)


@dataclass(frozen=True)
class AddedItems:
    """
    Attributes:
        items: item, item_id and columns, numbered after those of the data set; at least one.
        relations: as RELATIONS, of these, numbered from 0.
        edges: source (of the data set), target (from 0), overlap.
        vectors: text, initial and structure, a row for each; and `given.NAME`, of kinds that lay beside their tables.
    """

    items: pl.DataFrame
    relations: pl.DataFrame
    edges: pl.DataFrame
    vectors: dict[str, NDArray[np.float32]]

    def __len__(self) -> int:
        return len(self.items)

    def fit(self, config: VariantConfig) -> bool:
        """Whether a variant can take them: structural vectors that an ablation makes in another way are of its own items alone."""
        return "structure" not in config.modalities or not config.structure_source


def read_added(dataset: str) -> AddedItems | None:
    """None where nothing was added."""
    if not MORE_ITEMS.at(dataset).is_file():
        return None
    items = MORE_ITEMS.read(dataset)
    if items.is_empty():
        return None
    return AddedItems(items, MORE_RELATIONS.read(dataset), MORE_EDGES.read(dataset), MORE_VECTORS.read(dataset))
