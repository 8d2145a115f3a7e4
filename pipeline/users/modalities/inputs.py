"""What items are known by before training."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pipeline.common.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from scipy.sparse import csr_matrix
    from torch import nn


@dataclass(frozen=True)
class ItemInputs:
    """What items are known by before training.

    Attributes:
        text: [CLS] vectors, (M, d_e).
        structure: p'' (or P, for a model without the GAT), (M, d_k'').
        entities: N_i, (M, entities), 1 where the entity is in it.
        gat: P with edge_index and GAT weights: for `finetune_gat`.

    Raises:
        InputError: vectors of different numbers of items.
    """

    text: NDArray[np.float32]
    structure: NDArray[np.float32]
    entities: csr_matrix | None = None
    gat: GatInputs | None = None

    def __post_init__(self) -> None:
        if len(self.text) != len(self.structure):
            raise InputError(
                f"item vectors: found {len(self.text)} by text and {len(self.structure)} by structure; run `dvc repro`"
            )

    @property
    def items(self) -> int:
        return len(self.text)


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


def standardised(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Each dimension to mean 0 and variance 1 over the items that have a vector; rows of zeros (no text) stay zero.

    [CLS] vectors of any two items point in much the same direction: what all share would drown what sets them apart.

    Args:
        vectors: (M, width).
    """
    present = vectors.any(axis=1)
    result = np.zeros_like(vectors, dtype=np.float32)
    if present.any():
        known = vectors[present].astype(np.float64)
        spread = known.std(axis=0)
        result[present] = (known - known.mean(axis=0)) / np.where(spread > 1e-8, spread, 1.0)
    return result
