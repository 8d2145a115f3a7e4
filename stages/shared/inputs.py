"""What a variant reads of items: the inputs of its modalities, terms and weights."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from pipeline.artifacts.data import ITEMS, SOURCE_VECTORS
from pipeline.artifacts.graph import GRAPH_CAUTIONS, NEIGHBOURS, RELATIONS
from pipeline.artifacts.image import IMAGE_VECTORS
from pipeline.artifacts.structure import (
    DERIVED_EDGES,
    GAT_WEIGHTS,
    INITIAL_VECTORS,
    STRUCTURE_VECTORS,
    edges_of,
    structure_names,
)
from pipeline.artifacts.text import TEXT_VECTORS
from pipeline.common.config import validated
from pipeline.data.dataset import Dataset
from pipeline.data.item_vectors import rows_of_items
from pipeline.graph.matrices import edge_index, incidence_of
from pipeline.structure.gat.settings import GatConfig
from pipeline.users.knowledge import Knowledge, Surroundings
from pipeline.users.modalities.inputs import GatInputs, ItemInputs
from pipeline.users.modalities.names import FIXED, IMAGE
from pipeline.users.modalities.registry import given_among, needs_of
from pipeline.users.names import READ_BY
from pipeline.users.settings import VariantConfig
from stages.shared.data import DATA

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# Of every variant; which of them one reads is a matter of its settings.
INPUTS = (
    *DATA,
    SOURCE_VECTORS,
    IMAGE_VECTORS,
    TEXT_VECTORS,
    NEIGHBOURS,
    RELATIONS,
    GRAPH_CAUTIONS,
    DERIVED_EDGES,
    INITIAL_VECTORS,
    STRUCTURE_VECTORS,
    GAT_WEIGHTS,
)


class KnownOfItems(NamedTuple):
    """What there is of a data set's items, for `for_data`.

    Attributes:
        texts, graph: whether there are any.
        given: modalities whose vectors were there before.
    """

    texts: bool
    graph: bool
    given: tuple[str, ...]

    def lacking(self, asked: VariantConfig) -> list[str]:
        """What a variant names and there is none of, in words."""
        named = [name for name in given_among(asked.modalities) if name not in (*FIXED, *self.given)]
        of_kinds = {"no texts": self.texts, "no graph": self.graph, **{f"no vectors {name}": False for name in named}}
        return [words for words, there in of_kinds.items() if not there]


def known_of_items(dataset: str, config: VariantConfig) -> KnownOfItems:
    """What the variant does not ask for is not looked at."""
    texts = "text" not in config.modalities or bool(TEXT_VECTORS.read(dataset)["vectors"].any())
    asked = given_among(config.modalities)
    given = SOURCE_VECTORS.read(dataset).drop("item_id").columns if {*asked} - {IMAGE} else []
    if IMAGE in asked and IMAGE_VECTORS.read(dataset)["vectors"].any():
        given.append(IMAGE)
    return KnownOfItems(texts, not NEIGHBOURS.read(dataset).is_empty(), tuple(given))


def read_inputs(dataset: str, config: VariantConfig, data: Dataset) -> ItemInputs:
    """What the variant's modalities need of items, with the GAT's own inputs if it goes on training."""
    needs = needs_of(config.modalities)
    knowledge = Knowledge.of(data, RELATIONS.read(dataset), READ_BY[config.views]) if config.knows else None
    around = None
    if config.co_rating_l2 and config.co_rating_graph:
        around = knowledge.around if knowledge else Surroundings.of(RELATIONS.read(dataset), data.items)
    return ItemInputs(
        data.items,
        TEXT_VECTORS.read(dataset)["vectors"] if "text" in needs else None,
        _structure(dataset, config) if "structure" in needs else None,
        incidence_of(NEIGHBOURS.read(dataset), data.items) if "entities" in needs else None,
        gat_inputs(dataset, config) if config.finetune_gat else None,
        knowledge,
        data.train_counts if config.damping else None,
        config.damping,
        around.weights if around else None,
        given=given_vectors(dataset, given_among(config.modalities)),
    )


def given_vectors(dataset: str, names: Sequence[str]) -> dict[str, NDArray[np.float32]]:
    """Vectors that were there before, a row for each item, of zeros where it has none."""
    if not names:
        return {}
    own = [name for name in names if name != IMAGE]
    found = {IMAGE: IMAGE_VECTORS.read(dataset)["vectors"]} if IMAGE in names else {}
    if own:
        found |= rows_of_items(ITEMS.read(dataset)["item_id"], SOURCE_VECTORS.read(dataset).select("item_id", *own))
    return found


def _structure(dataset: str, config: VariantConfig) -> NDArray[np.float32]:
    names = structure_names(config.structure_source or None)
    # What vectors are made of is read beside them, though nothing else here needs it: those of another item graph, or
    # of one of other tables than are read here, are refused.
    edges_of(config.structure_source or None).read(dataset)
    GRAPH_CAUTIONS.read(dataset)
    initial: NDArray[np.float32] = INITIAL_VECTORS.of(**names).read(dataset)["vectors"]
    if config.structure == "initial":
        return initial
    vectors: NDArray[np.float32] = STRUCTURE_VECTORS.of(**names).read(dataset)["vectors"]
    return vectors


def gat_inputs(dataset: str, config: VariantConfig) -> GatInputs:
    # PyTorch Geometric takes longer to load than PyTorch, and no other variant needs it.
    from pipeline.structure.gat.network import TwoLayerGat

    names = structure_names(config.structure_source or None)
    weights = GAT_WEIGHTS.of(**names)
    return GatInputs(
        INITIAL_VECTORS.of(**names).read(dataset)["vectors"],
        edge_index(edges_of(config.structure_source or None).read(dataset)),
        weights.read(dataset),
        partial(TwoLayerGat, config=validated(GatConfig, weights.about(dataset), f"{weights.at(dataset)}: ")),
    )
