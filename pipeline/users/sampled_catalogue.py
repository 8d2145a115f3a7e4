"""A sampled softmax: a step of training sees a part of the catalogue, weighted so that its sums are those of the whole.

    sum_j e^{s_j}  is estimated by  sum_{j drawn} e^{s_j} / p_j  =  sum_{j drawn} e^{s_j - log p_j}

Item j is drawn with probability p_j, apart from all others (Poisson sampling), so the estimate has the right mean whatever the
scores (Horvitz and Thompson, 1952). In a softmax it is known as the log-Q correction (Bengio and Senécal, 2008; Yi et al.,
RecSys 2019). Popular items are drawn more often: they carry most of the sum.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from pipeline.users.histories import Histories
from pipeline.users.losses import NEVER

# Of the number of ratings, in an item's chance to be drawn: between all alike (0) and in proportion (1), as word2vec has it.
POPULARITY_EXPONENT = 0.75


class SampledCatalogue(NamedTuple):
    """Items that a step scores.

    Attributes:
        items: (S,), ascending: those drawn, and those that the step cannot do without.
        log_weights: (S,), -log p of the drawn; of the others as good as minus infinity, so that they count in no sum.
    """

    items: NDArray[np.int64]
    log_weights: NDArray[np.float32]

    def places(self, history: Histories) -> Histories:
        """The same sets, on the CPU, by the items' places in the sample; each must be in it."""
        places = np.searchsorted(self.items, history.items.numpy())
        return Histories(torch.from_numpy(places), history.user, history.lengths)


def chances(ratings: NDArray[np.int64], size: int) -> NDArray[np.float64]:
    """How likely each item is drawn: p_j = min(1, c (ratings_j + 1)^0.75), with c such that `size` are drawn on average.

    Args:
        ratings: of each item, (M,).
        size: at least 1; at M or more every item is drawn.
    """
    weights = (ratings + 1.0) ** POPULARITY_EXPONENT
    if size >= len(weights):
        return np.ones(len(weights))
    # With the k heaviest drawn for sure, the rest share what is left of the size: the first k that leaves none above 1.
    heaviest = -np.sort(-weights)
    rest = np.cumsum(heaviest[::-1])[::-1]
    scales = (size - np.arange(size)) / rest[:size]
    certain = int(np.argmax(scales * heaviest[:size] <= 1))
    found: NDArray[np.float64] = np.minimum(1.0, weights * scales[certain])
    return found


def sample_catalogue(
    chance: NDArray[np.float64], needed: NDArray[np.int64], random: np.random.Generator
) -> SampledCatalogue:
    """
    Args:
        chance: p, (M,), each above 0.
        needed: items that must be there, such as targets and histories; with repetitions, in any order.
    """
    drawn = random.random(len(chance)) < chance
    there = drawn.copy()
    there[needed] = True
    items = np.flatnonzero(there)
    weights = np.where(drawn[items], -np.log(chance[items]), NEVER)
    return SampledCatalogue(items, weights.astype(np.float32))
