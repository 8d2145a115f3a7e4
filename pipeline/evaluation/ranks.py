"""Where relevant items stand in a ranking, ties broken without favour.

A tied group takes its places in random order; every metric here is the expectation over that order, so that a constant
score has an AUC of 0.5 and the NDCG of a random ranking, exactly and without drawing anything.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Standing:
    """Relevant items of some users, one entry each, sorted by user and then from best to worst.

    Attributes:
        user: position of the user, (relevant,).
        above: candidates with a higher score.
        tied: candidates with the same score, the item itself included.
        users: number of users; each has at least one relevant item.
    """

    user: NDArray[np.int64]
    above: NDArray[np.int64]
    tied: NDArray[np.int64]
    users: int

    @property
    def relevant(self) -> NDArray[np.int64]:
        """Relevant items per user, (users,)."""
        return np.bincount(self.user, minlength=self.users)


def standing(
    scores: NDArray[np.floating[Any]], candidates: NDArray[np.bool_], user: NDArray[np.int64], column: NDArray[np.int64]
) -> Standing:
    """
    Args:
        scores: (users, columns), finite at candidates.
        candidates: (users, columns), the cells that are ranked; relevant ones are among them.
        user: row of each relevant item, (relevant,).
        column: its column.
    """
    ordered = np.sort(np.where(candidates, scores, -np.inf), axis=1)
    own = scores[user, column]
    above, tied = np.empty(len(user), dtype=np.int64), np.empty(len(user), dtype=np.int64)
    order = np.lexsort((-own, user))
    starts = np.searchsorted(user[order], np.arange(len(scores) + 1))
    width = scores.shape[1]
    for row in range(len(scores)):
        mine = order[starts[row] : starts[row + 1]]
        below = np.searchsorted(ordered[row], own[mine], side="left")
        up_to = np.searchsorted(ordered[row], own[mine], side="right")
        above[mine], tied[mine] = width - up_to, up_to - below
    return Standing(user[order], above[order], tied[order], len(scores))
