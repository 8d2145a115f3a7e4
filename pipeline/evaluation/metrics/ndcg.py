"""NDCG@k with binary relevance."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pipeline.evaluation.protocols.ranks import Standing, sums

if TYPE_CHECKING:
    from numpy.typing import NDArray


def ndcg(ranks: Standing, k: int) -> NDArray[np.float64]:
    """NDCG@k with binary relevance, (users,): sum of 1/log2(place + 1) over relevant items in the first k, over its best value.

    Järvelin, Kekäläinen, TOIS 2002; ties by their expectation as in McSherry, Najork, ECIR 2008.
    """
    discounts = 1 / np.log2(np.arange(2, k + 2))
    cumulative = np.r_[0.0, np.cumsum(discounts)]
    gains = (cumulative[np.minimum(ranks.above + ranks.tied, k)] - cumulative[np.minimum(ranks.above, k)]) / ranks.tied
    best: NDArray[np.float64] = cumulative[np.minimum(ranks.relevant, k)]
    return sums(ranks, gains) / best
