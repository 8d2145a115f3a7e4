"""What all terms have in common: how a history's length counts, and what is left out."""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from scipy.sparse import csr_matrix
from torch import nn

from pipeline.common.devices import placed
from pipeline.common.precision import in_full
from pipeline.users.histories import Histories
from pipeline.users.views.view import sizes

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pipeline.users.histories import Chunk
    from pipeline.users.knowledge import Knowledge

# Like those of the views: a history of n items counts as sqrt(n) of them, until training says otherwise.
EXPONENT_START = 0.5


class Rated(NamedTuple):
    """What users rated in the training split, which is in its counts: a candidate among it is scored by counts without that rating.

    Attributes:
        likes, dislikes: places among the candidates.
    """

    likes: Histories
    dislikes: Histories


class PairTerm(nn.Module, ABC):
    """
    Args:
        heads: which read it.
        view: likes, dislikes, or rated.
        known: of all items.

    Attributes:
        exponent: gamma.
    """

    def __init__(self, heads: Sequence[str], view: str, known: Knowledge) -> None:
        super().__init__()
        self.heads, self.view, self.known = tuple(heads), view, known
        self.exponent = nn.Parameter(torch.tensor(EXPONENT_START))

    @abstractmethod
    def totals(
        self, history: Histories, catalogue: NDArray[np.int64] | None, rated: Rated | None
    ) -> dict[str, torch.Tensor]:
        """sum_{j in history, j != c} w_head(j, c), for every user and candidate.

        Args:
            history: of the users, places among the candidates.
            catalogue: which items the candidates are, (S,); None: all.
            rated: what the users have in the counts; None where no such candidate's score is looked at.

        Returns:
            head to (users, S).
        """

    @abstractmethod
    def pairs(
        self, items: NDArray[np.int64], candidates: NDArray[np.int64], shares: Mapping[str, float]
    ) -> NDArray[np.float64]:
        """Sum over heads of share · w_head(j, c), of items j beside candidates c: (pairs,), zero where they are the same."""

    @in_full
    def scores(
        self,
        history: Histories,
        catalogue: NDArray[np.int64] | None = None,
        rated: Rated | None = None,
        leave_one_out: bool = False,
    ) -> dict[str, torch.Tensor]:
        """term_head(u, c): head to (users, S).

        Args:
            leave_one_out: a candidate in the history is scored by a history that is shorter by it.
        """
        count = sizes(history).to(self.exponent.dtype)
        full, rest = self.share(count).unsqueeze(1), self.share(count - 1)
        found = {}
        for head, total in self.totals(history, catalogue, rated).items():
            scores = total * full
            if leave_one_out:
                cells = total[history.user, history.items] * rest[history.user]
                scores = scores.index_put((history.user, history.items), cells)
            found[head] = scores
        return found

    def contributions(self, chunk: Chunk, candidates: torch.Tensor, shares: Mapping[str, float]) -> torch.Tensor:
        """What each entry of a chunk of histories adds to a sum of heads.

        Args:
            candidates: items of each user of the chunk, (chunk, candidates).
            shares: head to its share in the sum.

        Returns:
            (chunk, candidates, length), zero at padding.
        """
        entries = chunk.present.unsqueeze(1).expand(-1, candidates.shape[1], -1)
        items = chunk.items.unsqueeze(1).expand_as(entries)[entries]
        asked = candidates.unsqueeze(2).expand_as(entries)[entries]
        found = self.exponent.new_zeros(entries.shape)
        told = self.pairs(items.cpu().numpy(), asked.cpu().numpy(), shares)
        found[entries] = torch.from_numpy(told).to(found)
        return found * self.share(chunk.present.sum(dim=1).to(found.dtype))[:, None, None]

    def counted(self, length: int) -> float:
        """n^(gamma - 1) of one history."""
        return float(self.share(torch.tensor(float(length), dtype=self.exponent.dtype)).detach())

    def share(self, count: torch.Tensor) -> torch.Tensor:
        """n^(gamma - 1); 0 for an empty history."""
        return torch.where(count > 0, torch.pow(count.clamp(min=1), self.exponent - 1), 0.0)


def as_matrix(history: Histories, columns: int) -> csr_matrix:
    """Users x columns, ones."""
    ones = np.ones(len(history.items), dtype=np.float32)
    starts = np.r_[0, np.cumsum(history.lengths)]
    return csr_matrix((ones, history.items.cpu().numpy(), starts), shape=(len(history.lengths), columns))


def rows_of(matrix: csr_matrix, catalogue: NDArray[np.int64] | None) -> csr_matrix:
    return matrix if catalogue is None else matrix[catalogue]


def summed(history: Histories, matrix: csr_matrix, transposed: torch.Tensor | None) -> torch.Tensor:
    """Sums of a matrix's rows over the users' sets, (users, columns), by SciPy on the CPU.

    Args:
        matrix: (items, columns).
        transposed: the same as `sparse_tensor` has it, (columns, items), where histories are on another device; None on the CPU.
    """
    if transposed is None:
        return torch.from_numpy((as_matrix(history, matrix.shape[0]) @ matrix).toarray())
    # PyTorch multiplies a sparse matrix with a dense one from the left alone.
    sets = history.among(matrix.shape[0]).to(transposed.dtype)
    found: torch.Tensor = torch.sparse.mm(transposed, sets.T.contiguous()).T
    return found


def sparse_tensor(matrix: csr_matrix, device: torch.device) -> torch.Tensor:
    with warnings.catch_warnings():
        # PyTorch says once that its CSR tensors are in beta; a product of two is all that is needed of them.
        warnings.filterwarnings("ignore", message="Sparse CSR tensor support is in beta state")
        return torch.sparse_csr_tensor(
            placed(matrix.indptr.astype(np.int64), device),
            placed(matrix.indices.astype(np.int64), device),
            placed(matrix.data, device),
            matrix.shape,
            check_invariants=False,
        )
