"""Who likes the popular, and who the obscure: the counts of the history beside those of the candidate.

w_head(j, c) = x_c^T A_head x_j,   x the features of `count_features`, and a one

The one of the candidate says who is given how much of anything, which orders nothing within a user and much between users; that of
the history's item how much a candidate's counts say beside a history of that length.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn

from pipeline.common.devices import placed
from pipeline.users.histories import Histories, add_up
from pipeline.users.terms.term import PairTerm, Rated, as_matrix

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pipeline.users.knowledge import Knowledge


class Popularity(PairTerm):
    def __init__(self, heads: Sequence[str], view: str, known: Knowledge) -> None:
        super().__init__(heads, view, known)
        width = known.features.whole.shape[1] + 1
        self.weights = nn.ParameterDict({head: nn.Parameter(torch.zeros(width, width)) for head in heads})

    def totals(
        self, history: Histories, catalogue: NDArray[np.int64] | None, rated: Rated | None
    ) -> dict[str, torch.Tensor]:
        device = self.exponent.device
        whole, without_like, without_dislike = (
            placed(with_a_one(one if catalogue is None else one[catalogue]), device)
            for one in (
                self.known.features.whole,
                self.known.features.without_like,
                self.known.features.without_dislike,
            )
        )
        here = device.type == "cpu"
        summed = torch.from_numpy(as_matrix(history, len(whole)) @ whole.numpy()) if here else add_up(history, whole)
        # A target of training may itself be in the history.
        there = history.among(len(whole)) if rated else None
        inside = [there[own.user, own.items].to(whole.dtype) for own in rated or () if there is not None]
        found = {}
        for head, weights in self.weights.items():
            asked = whole @ weights
            total = summed @ asked.T
            itself = (asked * whole).sum(dim=1)[history.items]
            total = total.index_put((history.user, history.items), -itself, accumulate=True)
            for own, features, kept in zip(rated or (), (without_like, without_dislike), inside, strict=False):
                others = summed[own.user] - kept.unsqueeze(1) * whole[own.items]
                total = total.index_put((own.user, own.items), ((features @ weights)[own.items] * others).sum(dim=1))
            found[head] = total
        return found

    def pairs(
        self, items: NDArray[np.int64], candidates: NDArray[np.int64], shares: Mapping[str, float]
    ) -> NDArray[np.float64]:
        features = with_a_one(self.known.features.whole).astype(np.float64)
        weights = sum(
            (share * self.weights[head].detach().cpu().double().numpy() for head, share in shares.items()),
            np.zeros((features.shape[1],) * 2),
        )
        found = ((features @ weights)[candidates] * features[items]).sum(axis=1)
        return np.where(items == candidates, 0.0, found)


def with_a_one(features: NDArray[np.float32]) -> NDArray[np.float32]:
    """
    Args:
        features: (items, features).

    Returns:
        (items, features + 1), ones in the last column.
    """
    return np.concatenate([features, np.ones((len(features), 1), dtype=features.dtype)], axis=1)
