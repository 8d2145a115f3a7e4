"""Reciprocal rank."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pipeline.evaluation.protocols.ranks import Standing

if TYPE_CHECKING:
    from numpy.typing import NDArray


def reciprocal_rank(ranks: Standing) -> NDArray[np.float64]:
    """1 over the place of the first relevant item, (users,); with ties its expectation. Its mean over users is the MRR."""
    _, first = np.unique(ranks.user, return_index=True)
    result = 1 / (ranks.above[first] + 1.0)
    # Relevant items of a tied group stand side by side.
    changes = (ranks.user[1:] != ranks.user[:-1]) | (ranks.above[1:] != ranks.above[:-1])
    groups = np.flatnonzero(np.r_[True, changes])
    members = np.diff(np.r_[groups, len(ranks.user)])[np.searchsorted(groups, first)]
    for position in np.flatnonzero(ranks.tied[first] > 1):
        above, size = ranks.above[first[position]], ranks.tied[first[position]]
        place = np.arange(size)
        # P(the first of the group's relevant items stands at place t+1) = P(none among t) - P(none among t+1).
        none = np.r_[1.0, np.cumprod(np.maximum(size - members[position] - place, 0) / (size - place))]
        result[position] = ((none[:-1] - none[1:]) / (above + place + 1)).sum()
    return result
