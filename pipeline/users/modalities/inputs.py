"""What items are known by before training."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from pipeline.common.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from scipy.sparse import csr_matrix
    from torch import nn

    from pipeline.users.knowledge import Knowledge


# Of vectors that are standardised at a time.
PIECE_COLUMNS, PIECE_ROWS = 64, 16_384


@dataclass(frozen=True)
class ItemInputs:
    """What items are known by before training; None where no modality of the variant needs it.

    Attributes:
        items: M, of the data set.
        text: [CLS] vectors, (M, d_e).
        structure: p'' (or P, for a model without the GAT), (M, d_k'').
        entities: N_i, (M, entities), 1 where the entity is in it.
        gat: P with edge_index and GAT weights: for `finetune_gat`.
        knowledge: counts and relations, for terms and biases by counts.
        ratings: how many each item has in the training split, (M,); of no use without damping.
        damping: ratings at which what is learned of an item, or of an entity, counts by half; 0: it counts in full whatever they are.
        around: F, of `Surroundings`, (M, features), for item-to-item weights that read the graph.
        trained: how many of the items, the first, a model was trained on; None: all. The others came later: they are put through the
            same steps by what is known of these (means and spreads, which entities are shared).
        given: vectors that were there before, (M, width), by the modality that reads them: of images, and the data set's own.

    Raises:
        InputError: vectors of another number of items.
    """

    items: int
    text: NDArray[np.float32] | None = None
    structure: NDArray[np.float32] | None = None
    entities: csr_matrix | None = None
    gat: GatInputs | None = None
    knowledge: Knowledge | None = None
    ratings: NDArray[np.float64] | None = None
    damping: float = 0.0
    around: csr_matrix | None = None
    trained: int | None = None
    given: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, vectors in {"text": self.text, "structure": self.structure, **self.given}.items():
            if vectors is not None and len(vectors) != self.items:
                raise InputError(
                    f"item vectors: found {len(vectors)} by {name}, expected {self.items}, one for each item; run `dvc repro`"
                )


@dataclass(frozen=True)
class GatInputs:
    """
    Attributes:
        initial: P, (M, d_k).
        edge_index: (2, directed edges).
        weights: of the GAT stage.
        build: makes the encoder for an input width.
    """

    initial: NDArray[np.float32]
    edge_index: NDArray[np.int64]
    weights: dict[str, NDArray[np.float32]]
    build: Callable[[int], nn.Module]


def damped(ratings: NDArray[np.float64], damping: float) -> NDArray[np.float32]:
    """How much a vector counts that n ratings tell about, n / (n + damping): learned from a few it would only memorise them.

    Args:
        ratings: n, of each vector.
        damping: > 0.
    """
    found: NDArray[np.float32] = (ratings / (ratings + damping)).astype(np.float32)
    return found


def has_vector(vectors: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Which rows are an item's: one of zeros stands for none, (M,)."""
    found: NDArray[np.bool_] = np.any(vectors != 0, axis=1)
    return found


def standardised(vectors: NDArray[np.float32], trained: int | None = None) -> NDArray[np.float32]:
    """Each dimension to mean 0 and variance 1 over the items that have a vector; rows of zeros (no text) stay zero.

    [CLS] vectors of any two items point in much the same direction: what all share would drown what sets them apart.

    Args:
        vectors: (M, width).
        trained: by how many of them, the first, mean and variance are taken; None: all.
    """
    present = np.flatnonzero(has_vector(vectors))
    known = present if trained is None else present[present < trained]
    result = np.zeros_like(vectors, dtype=np.float32)
    if not len(known):
        return result
    mean, spread = np.empty(vectors.shape[1]), np.empty(vectors.shape[1])
    # In pieces: float64 of all would be several times what the vectors are, which of a million items are gigabytes.
    for columns in np.array_split(np.arange(vectors.shape[1]), -(-vectors.shape[1] // PIECE_COLUMNS)):
        piece = vectors[np.ix_(known, columns)].astype(np.float64)
        mean[columns], spread[columns] = piece.mean(axis=0), piece.std(axis=0)
    spread = np.where(spread > 1e-8, spread, 1.0)
    for rows in np.array_split(present, -(-len(present) // PIECE_ROWS)):
        result[rows] = (vectors[rows].astype(np.float64) - mean) / spread
    return result
