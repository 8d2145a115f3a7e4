"""A trained model that knows the items that were added after training."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from scipy.sparse import vstack

from pipeline.artifacts.graph import ENTITIES, RELATIONS
from pipeline.artifacts.kinds import Tensors
from pipeline.artifacts.structure import INITIAL_VECTORS, STRUCTURE_VECTORS
from pipeline.artifacts.text import TEXT_VECTORS
from pipeline.artifacts.users import MODEL, REFIT
from pipeline.data.dataset import Dataset
from pipeline.graph.matrices import attending_to, incidence_around
from pipeline.users.added_items import with_added_items
from pipeline.users.modalities.inputs import ItemInputs
from pipeline.users.modalities.registry import given_among, needs_of
from pipeline.users.model import Model
from pipeline.users.settings import VariantConfig
from stages.shared.added import AddedItems
from stages.shared.inputs import gat_inputs, given_vectors
from stages.shared.models import read_model, trained_as

if TYPE_CHECKING:
    import torch


def read_model_with(
    added: AddedItems | None,
    dataset: str,
    variant: str,
    data: Dataset,
    device: torch.device | str = "cpu",
    kind: Tensors = MODEL,
) -> Model:
    """A model as `read_model` reads it, that knows the items that were added as well.

    Args:
        data: the data set, without them.
        kind: MODEL, or REFIT, of all ratings.

    Raises:
        InputError: as `read_model`; or the model was stored by a version that kept less.
    """
    if added is None:
        return read_model(dataset, variant, data.items, device, kind)
    stored = kind.of(variant=variant)
    config, _ = trained_as(dataset, stored)
    trained_on = data.all_in_training() if kind == REFIT else data
    relations = RELATIONS.read(dataset)
    inputs = _inputs(dataset, config, trained_on, relations, added)
    arrays = with_added_items(stored.read(dataset), config, inputs, trained_on, relations, added.relations)
    return Model.from_arrays(arrays, config, data.items + len(added), device, len(added))


def _inputs(
    dataset: str, config: VariantConfig, data: Dataset, relations: pl.DataFrame, added: AddedItems
) -> ItemInputs:
    """As `read_inputs` gives them for training, with rows for the items that were added."""
    needs = needs_of(config.modalities)
    kind = "structure" if config.structure == "gat" else "initial"
    structural = STRUCTURE_VECTORS if config.structure == "gat" else INITIAL_VECTORS
    entities = None
    if "entities" in needs:
        # Of entities that are around no item of the data set nothing was learned.
        count = len(ENTITIES.read(dataset))
        of_each = (relations, data.items), (added.relations, len(added))
        entities = vstack([incidence_around(*one, count) for one in of_each]).tocsr()
    gat = None
    if config.finetune_gat:
        found = gat_inputs(dataset, config)
        gat = replace(
            found,
            initial=np.concatenate([found.initial, added.vectors["initial"]]),
            edge_index=np.concatenate([found.edge_index, attending_to(added.edges, data.items)], axis=1),
        )
    return ItemInputs(
        data.items + len(added),
        np.concatenate([TEXT_VECTORS.read(dataset)["vectors"], added.vectors["text"]]) if "text" in needs else None,
        np.concatenate([structural.read(dataset)["vectors"], added.vectors[kind]]) if "structure" in needs else None,
        entities,
        gat,
        ratings=np.pad(data.train_counts, (0, len(added))) if config.damping else None,
        damping=config.damping,
        trained=data.items,
        given={
            name: np.concatenate(
                [known, added.vectors.get(f"given.{name}", np.zeros((len(added), known.shape[1]), dtype=np.float32))]
            )
            for name, known in given_vectors(dataset, given_among(config.modalities)).items()
        },
    )
