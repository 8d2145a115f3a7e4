"""What a variant reads of items: the inputs of its modalities, terms and weights."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from pipeline.artifacts.graph import GRAPH_CAUTIONS, NEIGHBOURS, RELATIONS
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
from pipeline.graph.matrices import edge_index, incidence_of
from pipeline.structure.gat.settings import GatConfig
from pipeline.users.knowledge import Knowledge, Surroundings
from pipeline.users.modalities.inputs import GatInputs, ItemInputs
from pipeline.users.modalities.registry import MODALITIES
from pipeline.users.names import READ_BY
from pipeline.users.settings import VariantConfig
from stages.shared.data import DATA

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# Of every variant; which of them one reads is a matter of its settings.
INPUTS = (
    *DATA,
    TEXT_VECTORS,
    NEIGHBOURS,
    RELATIONS,
    GRAPH_CAUTIONS,
    DERIVED_EDGES,
    INITIAL_VECTORS,
    STRUCTURE_VECTORS,
    GAT_WEIGHTS,
)


def known_of_items(dataset: str, config: VariantConfig) -> dict[str, bool]:
    """Whether there are texts and a graph of the items, for `for_data`; texts that the variant does not ask for are not looked at."""
    asked = "text" in config.modalities
    return {
        "texts": bool(TEXT_VECTORS.read(dataset)["vectors"].any()) if asked else True,
        "graph": not NEIGHBOURS.read(dataset).is_empty(),
    }


def read_inputs(dataset: str, config: VariantConfig, data: Dataset) -> ItemInputs:
    """What the variant's modalities need of items, with the GAT's own inputs if it goes on training."""
    needs = {need for name in config.modalities for need in MODALITIES[name].needs}
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
    )


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
