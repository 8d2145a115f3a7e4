"""Hit@k."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pipeline.evaluation.protocols.ranks import Standing

if TYPE_CHECKING:
    from numpy.typing import NDArray


def hit(ranks: Standing, k: int) -> NDArray[np.float64]:
    """Hit@k, (users,): 1 if any relevant item stands in the first k; with ties the probability of that."""
    missed = np.ones(ranks.users)
    certain = ranks.above + ranks.tied <= k
    missed[ranks.user[certain]] = 0.0
    # At most one tied group of a user straddles place k: its relevant items all miss with a hypergeometric probability.
    straddles = (ranks.above < k) & ~certain
    user, first = np.unique(ranks.user[straddles], return_index=True)
    group, places = ranks.tied[straddles][first], k - ranks.above[straddles][first]
    relevant = np.bincount(ranks.user[straddles], minlength=ranks.users)[user]
    for one, size, free, members in zip(user, group, places, relevant, strict=True):
        missed[one] *= _none_among(int(size), int(members), int(free))
    return 1 - missed


def _none_among(size: int, members: int, places: int) -> float:
    """Probability that none of ``members`` special items of a shuffled group of ``size`` is among its first ``places``."""
    if members > size - places:
        return 0.0
    steps = np.arange(places)
    return float(np.prod((size - members - steps) / (size - steps)))
