"""The items of a data set, as `dvc repro` left them. No model is needed, and no PyTorch."""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass
from typing import NamedTuple

import polars as pl

from pipeline.artifacts.data import ITEMS, SOURCE_ITEM_ENTITIES, SOURCE_KG
from pipeline.artifacts.graph import ENTITIES
from pipeline.common.config import look_up
from pipeline.common.errors import quoted
from pipeline.graph.paths import KnowledgeGraph
from pipeline.parameters.params import DatasetEntry, Parameters
from pipeline.recommend.titles import Titles
from stages import PARAMS
from stages.guard import show


class Entity(NamedTuple):
    """Of the knowledge graph.

    Attributes:
        entity: its id.
        name: None where nothing but an id is known that tells a person nothing.
    """

    entity: str
    name: str | None

    @property
    def shown(self) -> str:
        return self.name or self.entity


@dataclass(frozen=True)
class Catalogue:
    """The items of a data set.

    Attributes:
        dataset: its name.
        items: item, item_id, and what else is known of them.
        titles: of the items, by index.
        left_out: relations of the knowledge graph that do not count.
    """

    dataset: str
    items: pl.DataFrame
    titles: Titles
    left_out: Sequence[str]

    def find(self, *texts: str) -> list[int]:
        """The items that some texts mean, each once. What was found by less than a whole title is noted on stderr.

        Raises:
            InputError: one means no item, or more than one.
        """
        found = [self.titles.find(text) for text in texts]
        for text, item in zip(texts, found, strict=True):
            if not self.titles.names(text, item):
                show(
                    f"note: {quoted(text)} is taken to mean {self.titles.shown(item)} id:{self.titles.ids[item]}",
                    error=True,
                )
        return list(dict.fromkeys(found))

    def entities(self, numbers: Set[int]) -> dict[int, Entity]:
        """Some entities by their numbers in ENTITIES."""
        if not numbers:
            return {}
        order = sorted(numbers)
        ids = ENTITIES.read(self.dataset)["entity_id"].gather(order).to_list()
        names = self.knowledge_graph().names(ids)
        return {number: Entity(entity, names.get(entity)) for number, entity in zip(order, ids, strict=True)}

    def knowledge_graph(self) -> KnowledgeGraph:
        return KnowledgeGraph(
            SOURCE_KG.read(self.dataset),
            SOURCE_ITEM_ENTITIES.read(self.dataset),
            self.items,
            self.left_out,
            [self.titles.shown(item) for item in range(len(self.titles))],
        )


def read_catalogue(parameters: Parameters, dataset: str | None) -> Catalogue:
    """
    Args:
        parameters: params.yaml.
        dataset: a key of `datasets` there; None: the first.

    Raises:
        InputError: there is no such data set, or it has not been prepared.
    """
    name = next(iter(parameters.datasets)) if dataset is None else dataset
    entry: DatasetEntry = look_up({"datasets": parameters.datasets}, ("datasets", name), str(PARAMS))
    items = ITEMS.read(name)
    return Catalogue(name, items, Titles.of(items), entry.leave_out_relations)
