"""How often a candidate and an item of the history were in a history together, by the cosine of their columns (ItemKNN, with a weight).

    w_head(j, c) = w_head C_jc / sqrt(n_j n_c)

of a candidate that the user themselves rated: (C_jc - 1) / sqrt(n_j (n_c - 1)), so that a target does not speak for itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn

from pipeline.common.devices import placed
from pipeline.users.histories import Histories, merged
from pipeline.users.terms.term import PairTerm, Rated, sparse_tensor, summed

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from scipy.sparse import csr_matrix

    from pipeline.users.knowledge import Knowledge

START = 2.0


class Together(PairTerm):
    def __init__(self, heads: Sequence[str], view: str, known: Knowledge) -> None:
        super().__init__(heads, view, known)
        start = 0.0 if view == "dislikes" else START
        self.weights = nn.ParameterDict({head: nn.Parameter(torch.tensor(start)) for head in heads})

    def totals(
        self, history: Histories, catalogue: NDArray[np.int64] | None, rated: Rated | None
    ) -> dict[str, torch.Tensor]:
        of_view = self.known.together[self.view]
        counts, there, ratings = of_view.counts, of_view.there, of_view.ratings
        if catalogue is not None:
            counts, there, ratings = counts[catalogue][:, catalogue], there[catalogue][:, catalogue], ratings[catalogue]
        device = self.exponent.device
        turned = self._whole if catalogue is None else _turned(counts, there, device)
        sums = summed(history, counts, turned[0])
        scaled = sums * placed(_inverse_root(ratings), device)
        if rated is not None:
            own = {"likes": rated.likes, "dislikes": rated.dislikes}.get(self.view) or merged(*rated)
            cells = own.user, own.items
            fewer = placed(_inverse_root(ratings - 1), device)[own.items]
            counted = summed(history, there, turned[1])[cells]
            scaled = scaled.index_put(cells, (sums[cells] - counted) * fewer)
        return {head: scaled * weight for head, weight in self.weights.items()}

    @cached_property
    def _whole(self) -> tuple[torch.Tensor | None, torch.Tensor | None]:
        """Of all items: the same in every step that does not sample them."""
        of_view = self.known.together[self.view]
        return _turned(of_view.counts, of_view.there, self.exponent.device)

    def pairs(
        self, items: NDArray[np.int64], candidates: NDArray[np.int64], shares: Mapping[str, float]
    ) -> NDArray[np.float64]:
        of_view = self.known.together[self.view]
        weight = sum(share * float(self.weights[head].detach()) for head, share in shares.items())
        if not len(items):
            return np.zeros(0)
        # Copies: scipy makes the places writeable, which memory that belongs to PyTorch refuses.
        cosines = np.asarray(of_view.counts[items.copy(), candidates.copy()], dtype=np.float64).ravel()
        return weight * cosines * _inverse_root(of_view.ratings[candidates])


def _turned(
    counts: csr_matrix, there: csr_matrix, device: torch.device
) -> tuple[torch.Tensor | None, torch.Tensor | None]:
    """Both transposed, for `summed`."""
    if device.type == "cpu":
        return None, None
    return sparse_tensor(counts.T.tocsr(), device), sparse_tensor(there.T.tocsr(), device)


def _inverse_root(ratings: NDArray[np.float32]) -> NDArray[np.float32]:
    """1 / sqrt(n), and 0 for items that nobody else rated."""
    return np.where(ratings > 0, np.maximum(ratings, 1.0) ** -0.5, 0.0).astype(np.float32)
