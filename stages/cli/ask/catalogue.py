"""The items of a data set, as `dvc repro` left them. No model is needed, and no PyTorch."""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass
from typing import NamedTuple

import polars as pl

from pipeline.artifacts.added import MORE_ITEM_ENTITIES, MORE_KG
from pipeline.artifacts.data import ITEMS, SOURCE_ITEM_ENTITIES, SOURCE_KG
from pipeline.artifacts.graph import ENTITIES
from pipeline.common.config import look_up
from pipeline.common.errors import quoted
from pipeline.graph.paths import KnowledgeGraph
from pipeline.parameters.params import Parameters
from pipeline.recommend.titles import Titles
from stages import PARAMS
from stages.guard import show
from stages.shared.added import AddedItems


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
        added: items that came after training, which are the last; None: there are none.
    """

    dataset: str
    items: pl.DataFrame
    titles: Titles
    left_out: Sequence[str]
    added: AddedItems | None = None

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
        kg, links = SOURCE_KG.read(self.dataset), SOURCE_ITEM_ENTITIES.read(self.dataset)
        if self.added is not None:
            kg = pl.concat([kg, MORE_KG.read(self.dataset)])
            links = pl.concat([links, MORE_ITEM_ENTITIES.read(self.dataset)])
        return KnowledgeGraph(
            kg,
            links,
            self.items,
            self.left_out,
            [self.titles.shown(item) for item in range(len(self.titles))],
        )


def dataset_of(parameters: Parameters, dataset: str | None) -> str:
    """
    Args:
        dataset: a key of `datasets`; None: the first.

    Raises:
        InputError: there is no such data set.
    """
    name = next(iter(parameters.datasets)) if dataset is None else dataset
    look_up({"datasets": parameters.datasets}, ("datasets", name), str(PARAMS))
    return name


def read_catalogue(parameters: Parameters, dataset: str, added: AddedItems | None) -> Catalogue:
    """
    Args:
        parameters: params.yaml.
        dataset: as `dataset_of` gives it.
        added: items that came after training, and are to be among its items.

    Raises:
        InputError: it has not been prepared.
    """
    items = ITEMS.read(dataset)
    if added is not None:
        items = pl.concat([items, added.items.select(items.columns)])
    return Catalogue(dataset, items, Titles.of(items), parameters.datasets[dataset].leave_out_relations, added)
