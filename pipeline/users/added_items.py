"""Items that came after training, brought into a trained model: the model's arrays with a row more for each.

    r = sum of modalities, as in training: text and structure by their projections, the learned vectors of the entities around the item
    that are known, none of its own.   counts: zero; what is around it in the graph: as ever

A vector of its own and how often it is rated together with others are what only ratings give: of these it has none. Without any of
EASE's weights or of free biases it would be in nobody's list, whatever else it is. So it has a mean of those of the items that are nearest
to it by the cosine of the item vectors, with weights w that add up to 1:

    EASE's weights   B_.c = sum_j w_j (e_j + B_.j):   what it is to like what the nearest go with, and to like one of the nearest themselves
    free biases      b_c = sum_j w_j b_j, or of all items where none is near

Biases by counts come from the network of `count_biases`, as those of an item that nobody has rated yet.

Items that were there in training keep what they have.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import torch
from scipy.sparse import csr_matrix, diags, hstack, vstack

from pipeline.common.errors import InputError
from pipeline.common.top_columns import NONE, best_columns
from pipeline.data.dataset import Dataset, blocks
from pipeline.users.co_rating import ENTRIES, read_co_rating
from pipeline.users.count_biases import CountBiases, OfItems
from pipeline.users.item_encoder import stored_encoder
from pipeline.users.knowledge import Features, Knowledge, Surroundings, count_features, knowledge_from
from pipeline.users.modalities.inputs import ItemInputs
from pipeline.users.model import biases_of_nothing, counts
from pipeline.users.names import READ_BY
from pipeline.users.settings import VariantConfig

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Items of training that an added one is near to; how many added ones are compared with all of these at once.
NEAREST, BLOCK = 20, 256
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
    nearest = nearest_of(found["items"], inputs.trained)
    for head in config.heads if config.biases else ():
        known = arrays[f"scorer.item_bias.{head}"]
        found[f"scorer.item_bias.{head}"] = np.concatenate([known, _means(known, nearest)])
    if config.co_rating_l2:
        found |= _co_rating(arrays, inputs.trained, nearest)
    if config.knows:
        knowledge = knowledge_from(arrays, inputs.trained, READ_BY[config.views]) if config.terms else None
        around = knowledge.around if knowledge else Surroundings.of(relations, inputs.trained)
        rows = around.rows_of(added, count)
        features = count_features(*counts(data), around, rows)
        if config.count_biases:
            for name, bias in _biases_by_counts(arrays, config, data, features).items():
                found[f"scorer.item_bias.{name}"][inputs.trained :] = bias
        if knowledge:
            found |= _known(arrays, knowledge, rows, features)
    return found


def nearest_of(vectors: NDArray[np.float32], trained: int) -> csr_matrix:
    """w: of each item that was added the `NEAREST` items of training by cosine, as far as it is positive; rows add up to 1, or are empty.

    Args:
        vectors: R, (items, width), those of training first.
        trained: how many these are.

    Returns:
        (added, trained).
    """
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    directions = vectors / np.where(lengths > 0, lengths, 1.0)
    rows: list[csr_matrix] = []
    for block in blocks(len(vectors) - trained, BLOCK):
        cosines = directions[trained + block] @ directions[:trained].T
        columns = best_columns(cosines, min(NEAREST, trained), above=0.0)
        row, place = (columns != NONE).nonzero()
        where = row, columns[row, place]
        rows.append(csr_matrix((cosines[where].astype(np.float64), where), shape=cosines.shape))
    found = vstack(rows).tocsr()
    sums = np.asarray(found.sum(axis=1)).ravel()
    return (diags(1 / np.where(sums > 0, sums, 1.0)) @ found).tocsr()


def _vectors(
    arrays: Mapping[str, NDArray[np.float32]], config: VariantConfig, inputs: ItemInputs
) -> NDArray[np.float32]:
    """R of all items, as training would have them with these weights."""
    encoder = stored_encoder(arrays, inputs, config.modalities, config.fusion, config.width)
    with torch.inference_mode():
        vectors: torch.Tensor = encoder()
    return vectors.numpy()


def _biases_by_counts(
    arrays: Mapping[str, NDArray[np.float32]], config: VariantConfig, data: Dataset, features: Features
) -> dict[str, NDArray[np.float32]]:
    prefix = "biases."
    weights = {
        name.removeprefix(prefix): torch.from_numpy(array) for name, array in arrays.items() if name.startswith(prefix)
    }
    if not weights:
        raise InputError(
            "users/model: found no tensor biases.inner.weight: it was trained before items could be added; run `dvc repro`"
        )
    starts = {
        head: OfItems(*(torch.full((len(features.whole),), start),) * 3)
        for head, start in biases_of_nothing(data, config.heads).items()
    }
    network = CountBiases(features, starts)
    network.load_state_dict(weights)
    with torch.inference_mode():
        return {head: bias.whole.numpy() for head, bias in network().items()}


def _means(known: NDArray[np.float32], nearest: csr_matrix) -> NDArray[np.float32]:
    means = np.where(nearest.getnnz(axis=1) > 0, nearest @ known.astype(np.float64), known.mean(dtype=np.float64))
    found: NDArray[np.float32] = means.astype(np.float32)
    return found


def _co_rating(arrays: Mapping[str, NDArray[np.float32]], trained: int, nearest: csr_matrix) -> Arrays:
    """EASE's weights with a column more for each, in the form that the model has them in. Of what somebody likes it has none."""
    known = read_co_rating(arrays, trained)
    weights = known.numpy() if isinstance(known, torch.Tensor) else known
    columns = weights @ nearest.T + nearest.T
    added = nearest.shape[0]
    if isinstance(weights, np.ndarray):
        whole = np.pad(weights, (0, added))
        whole[:trained, trained:] = columns
        return {"co_rating": whole}
    both = hstack([weights, columns]).tocoo()
    return dict(zip(ENTRIES, (part.astype(np.float32) for part in (both.row, both.col, both.data)), strict=True))


def _known(
    arrays: Mapping[str, NDArray[np.float32]], knowledge: Knowledge, rows: csr_matrix, features: Features
) -> Arrays:
    """What `knowledge_arrays` stores, with rows more; what it stores of pairs of items stays as it is."""
    weights = vstack([knowledge.around.weights, rows]).tocoo()
    found = {
        "known.around.row": weights.row.astype(np.float32),
        "known.around.column": weights.col.astype(np.float32),
        "known.around.value": weights.data.astype(np.float32),
        "known.features": np.concatenate([arrays["known.features"], features.whole]),
    }
    for view in knowledge.together:
        name = f"known.{view}.ratings"
        found[name] = np.pad(arrays[name], (0, rows.shape[0]))
    return found
