"""The entities around an item: the sum of their learned vectors, N_i scaled to length 1 times W, damped as ids are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from scipy.sparse import csr_matrix, diags
from torch import nn

from pipeline.common.devices import placed
from pipeline.common.precision import in_full
from pipeline.users.modalities.inputs import ItemInputs, damped
from pipeline.users.modalities.modality import LEARNED_SPREAD, ModalityVectors

if TYPE_CHECKING:
    from numpy.typing import NDArray


class EntityVectors(ModalityVectors):
    """Reads N_i. An entity has the ratings of all items around it."""

    needs = ("entities",)

    def __init__(self, inputs: ItemInputs, width: int, added: bool) -> None:
        super().__init__(inputs, width, added)
        assert inputs.entities is not None
        # SciPy's form beside PyTorch's: it gives some of its rows at once, and PyTorch's searches them all.
        self._bags = shared_bags(inputs.entities, inputs.trained)
        if inputs.damping:
            assert inputs.ratings is not None
            ratings = (self._bags > 0).T.astype(np.float64) @ inputs.ratings
            self._bags = (self._bags @ diags(damped(ratings, inputs.damping))).tocsr()
        self.has = np.asarray(self._bags.sum(axis=1)).ravel() > 0
        self.register_buffer("bag", _as_tensor(self._bags), persistent=False)
        self.entity = nn.Parameter(torch.randn(self._bags.shape[1], width) * LEARNED_SPREAD)

    @in_full
    def forward(self, items: NDArray[np.int64] | None = None) -> torch.Tensor:
        if items is not None and self.by_rows:
            return self._of_rows(self._bags[items])
        bag = self.get_buffer("bag") if items is None else _as_tensor(self._bags[items])
        vectors: torch.Tensor = torch.sparse.mm(bag.to(self.entity), self.entity)
        return vectors

    def _of_rows(self, bags: csr_matrix) -> torch.Tensor:
        """The same product, whose slope is of the entities in these rows alone, each once."""
        there = np.zeros(bags.shape[1], dtype=np.bool_)
        there[bags.indices] = True
        met = np.flatnonzero(there)
        place = np.empty(bags.shape[1], dtype=bags.indices.dtype)
        place[met] = np.arange(len(met))
        device = self.entity.device
        vectors = nn.functional.embedding(placed(met, device), self.entity, sparse=True)
        entities, starts, weights = (
            placed(part, device) for part in (place[bags.indices], bags.indptr[:-1], bags.data)
        )
        found: torch.Tensor = nn.functional.embedding_bag(
            entities, vectors, starts, mode="sum", per_sample_weights=weights.to(vectors)
        )
        return found

    def tables(self) -> list[nn.Parameter]:
        return [self.entity]


def shared_bags(entities: csr_matrix, trained: int | None = None) -> csr_matrix:
    """Rows of N_i scaled to length 1, without the entities that only one item has: those could only memorise it.

    Args:
        entities: (M, entities) of ones.
        trained: by how many of the items, the first, it is told which entities are shared; None: all.

    Returns:
        (M, entities that two items or more have).
    """
    shared = entities[:, np.flatnonzero(entities[:trained].getnnz(axis=0) >= 2)].astype(np.float32)
    sizes = np.maximum(shared.getnnz(axis=1), 1)
    return (diags(sizes**-0.5) @ shared).tocsr().astype(np.float32)


def _as_tensor(matrix: csr_matrix) -> torch.Tensor:
    with_indices = matrix.tocoo()
    where = torch.from_numpy(np.stack([with_indices.row, with_indices.col]).astype(np.int64))
    values = torch.from_numpy(with_indices.data)
    return torch.sparse_coo_tensor(where, values, matrix.shape, check_invariants=False).coalesce()
