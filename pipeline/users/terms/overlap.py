"""What a candidate and an item of the history share in the knowledge graph, each relation with a weight of its own.

    w_head(j, c) = sum_e w_head,relation(e) F_je F_ce

It is computed in the space of the entities, (sum_j F_j) diag(w) F_c: no matrix of items x items.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from pipeline.common.devices import placed
from pipeline.users.histories import Histories
from pipeline.users.terms.term import PairTerm, Rated, rows_of, sparse_tensor, summed

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from scipy.sparse import csr_matrix

    from pipeline.users.knowledge import Knowledge

# Who reads it with which weight at the start. What shares an author with a dislike is met as often, until training says otherwise.
START = 0.5


class Overlap(PairTerm):
    def __init__(self, heads: Sequence[str], view: str, known: Knowledge) -> None:
        super().__init__(heads, view, known)
        start = 0.0 if view == "dislikes" else START
        self.weights = nn.ParameterDict(
            {head: nn.Parameter(torch.full((len(known.around.names),), start)) for head in heads}
        )

    def totals(
        self, history: Histories, catalogue: NDArray[np.int64] | None, rated: Rated | None
    ) -> dict[str, torch.Tensor]:
        around, device = self.known.around, self.exponent.device
        weights = rows_of(around.weights, catalogue)
        forwards, backwards = self._whole if catalogue is None else _both_ways(weights, device)
        told = summed(history, weights, None if device.type == "cpu" else backwards)
        own = placed(around.own if catalogue is None else around.own[catalogue], device)
        relation = placed(around.relation, device)
        found = {}
        for head, by_relation in self.weights.items():
            total = _Product.apply((told * by_relation[relation]).T.contiguous(), forwards, backwards).T  # type: ignore[no-untyped-call]
            itself = (own @ by_relation)[history.items]
            found[head] = total.index_put((history.user, history.items), -itself, accumulate=True)
        return found

    @cached_property
    def _whole(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Of all items: the same in every step that does not sample them."""
        return _both_ways(self.known.around.weights, self.exponent.device)

    def pairs(
        self, items: NDArray[np.int64], candidates: NDArray[np.int64], shares: Mapping[str, float]
    ) -> NDArray[np.float64]:
        weights = self.known.around.weights
        shared = weights[items].multiply(weights[candidates])
        found: NDArray[np.float64] = np.asarray(shared @ self.of_columns(shares)).ravel()
        return np.where(items == candidates, 0.0, found)

    def shared(
        self, items: NDArray[np.int64], candidates: NDArray[np.int64], shares: Mapping[str, float]
    ) -> csr_matrix:
        """What each relation and entity adds to `pairs`, (pairs, columns)."""
        weights = self.known.around.weights
        found: csr_matrix = weights[items].multiply(weights[candidates]).tocsr().astype(np.float64)
        found.data *= self.of_columns(shares)[found.indices]
        found.data *= np.repeat(items != candidates, np.diff(found.indptr))
        return found

    def of_columns(self, shares: Mapping[str, float]) -> NDArray[np.float64]:
        """Sum over heads of share · w_head,relation(e), (columns,)."""
        by_relation = sum(
            (share * self.weights[head].detach().cpu().double().numpy() for head, share in shares.items()),
            np.zeros(len(self.known.around.names)),
        )
        found: NDArray[np.float64] = by_relation[self.known.around.relation]
        return found


class _Product(torch.autograd.Function):
    """A sparse matrix times a dense one, and the gradient of the dense one."""

    @staticmethod
    def forward(context: Any, dense: torch.Tensor, matrix: torch.Tensor, transposed: torch.Tensor) -> torch.Tensor:
        context.transposed = transposed
        product: torch.Tensor = torch.sparse.mm(matrix, dense)
        return product

    @staticmethod
    def backward(context: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        return torch.sparse.mm(context.transposed, gradients[0].contiguous()), None, None


def _both_ways(matrix: csr_matrix, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """A matrix and its transpose."""
    return sparse_tensor(matrix, device), sparse_tensor(matrix.T.tocsr(), device)
