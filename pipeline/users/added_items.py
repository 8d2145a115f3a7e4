"""Items that came after training, brought into a trained model: the model's arrays with a row more for each.

    r = sum of modalities, as in training: text and structure by their projections, the learned vectors of the entities around the item
    that are known, none of its own.   counts: zero; what is around it in the graph: as ever

A vector of its own, EASE's weights and how often it is rated together with others are what only ratings give: of these it has none. Its
biases come from what is around it: by the network of `count_biases`, as those of an item that nobody has rated yet; where biases are free
parameters, it has the mean of those of the items around it, weighted by overlap, or of all items where nothing is around it.

Items that were there in training keep what they have.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import torch
from scipy.sparse import csr_matrix, vstack

from pipeline.common.errors import InputError
from pipeline.data.dataset import Dataset
from pipeline.users.count_biases import CountBiases, OfItems
from pipeline.users.item_encoder import ItemEncoder
from pipeline.users.knowledge import Knowledge, Surroundings, count_features, knowledge_from
from pipeline.users.modalities.inputs import ItemInputs
from pipeline.users.model import biases_of_nothing, counts
from pipeline.users.names import READ_BY
from pipeline.users.settings import VariantConfig

if TYPE_CHECKING:
    from numpy.typing import NDArray

Arrays = dict[str, "NDArray[np.float32]"]


def with_added_items(
    arrays: Mapping[str, NDArray[np.float32]],
    config: VariantConfig,
    inputs: ItemInputs,
    data: Dataset,
    relations: pl.DataFrame,
    added: pl.DataFrame,
) -> Arrays:
    """The arrays of a stored model with rows for items that were added, for `Model.from_arrays` with so many items more.

    Args:
        arrays: MODEL's, or REFIT's.
        config: the variant that was trained.
        inputs: of all items, those that were added last; `trained` says how many came before.
        data: whose training split the model was trained on, of the items that came before.
        relations: RELATIONS.
        added: the same of the items that were added, numbered from 0.

    Raises:
        InputError: the model was stored by a version that kept less.
    """
    assert inputs.trained is not None
    count = inputs.items - inputs.trained
    found = dict(arrays)
    found["items"] = np.concatenate([arrays["items"], _vectors(arrays, config, inputs)[inputs.trained :]])
    knowledge = knowledge_from(arrays, inputs.trained, READ_BY[config.views]) if config.terms else None
    around = knowledge.around if knowledge else Surroundings.of(relations, inputs.trained)
    rows = around.rows_of(added, count)
    if config.biases:
        biases = _biases_by_counts(arrays, config, data, around, rows) if config.count_biases else None
        for head in config.heads:
            known = arrays[f"scorer.item_bias.{head}"]
            mine = biases[head] if biases else _biases_around(known, around, rows)
            found[f"scorer.item_bias.{head}"] = np.concatenate([known, mine.astype(np.float32)])
    if knowledge:
        found |= _known(arrays, knowledge, data, rows)
    whole = arrays.get("co_rating")
    if whole is not None:
        found["co_rating"] = np.pad(whole, (0, count))
    return found


def _vectors(
    arrays: Mapping[str, NDArray[np.float32]], config: VariantConfig, inputs: ItemInputs
) -> NDArray[np.float32]:
    """R of all items, as training would have them with these weights."""
    encoder = ItemEncoder(inputs, config.modalities, config.fusion, config.width).eval()
    prefix = "encoder."
    encoder.load(
        {
            name.removeprefix(prefix): torch.from_numpy(array)
            for name, array in arrays.items()
            if name.startswith(prefix)
        }
    )
    with torch.inference_mode():
        vectors: torch.Tensor = encoder()
    return vectors.numpy()


def _biases_by_counts(
    arrays: Mapping[str, NDArray[np.float32]],
    config: VariantConfig,
    data: Dataset,
    around: Surroundings,
    rows: csr_matrix,
) -> dict[str, NDArray[np.float32]]:
    prefix = "biases."
    weights = {
        name.removeprefix(prefix): torch.from_numpy(array) for name, array in arrays.items() if name.startswith(prefix)
    }
    if not weights:
        raise InputError(
            "users/model: found no tensor biases.inner.weight: it was trained before items could be added; run `dvc repro`"
        )
    features = count_features(*counts(data), around, rows)
    starts = {
        head: OfItems(*(torch.full((rows.shape[0],), start),) * 3)
        for head, start in biases_of_nothing(data, config.heads).items()
    }
    network = CountBiases(features, starts)
    network.load_state_dict(weights)
    with torch.inference_mode():
        return {head: bias.whole.numpy() for head, bias in network().items()}


def _biases_around(known: NDArray[np.float32], around: Surroundings, rows: csr_matrix) -> NDArray[np.float64]:
    mean, degree = around.mean_around(known.astype(np.float64), rows)
    return np.where(degree > 0, mean, known.mean(dtype=np.float64))


def _known(arrays: Mapping[str, NDArray[np.float32]], knowledge: Knowledge, data: Dataset, rows: csr_matrix) -> Arrays:
    """What `knowledge_arrays` stores, with rows more; what it stores of pairs of items stays as it is."""
    weights = vstack([knowledge.around.weights, rows]).tocoo()
    features = count_features(*counts(data), knowledge.around, rows).whole
    found = {
        "known.around.row": weights.row.astype(np.float32),
        "known.around.column": weights.col.astype(np.float32),
        "known.around.value": weights.data.astype(np.float32),
        "known.features": np.concatenate([arrays["known.features"], features]),
    }
    for view in knowledge.together:
        name = f"known.{view}.ratings"
        found[name] = np.pad(arrays[name], (0, rows.shape[0]))
    return found
