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


def standing(user: NDArray[np.int64], scores: NDArray[np.floating[Any]], relevant: NDArray[np.bool_]) -> Standing:
    """Where relevant candidates stand among all candidates of their user.

    Args:
        user: of each candidate, (candidates,), from 0 on; each user has a relevant one.
        scores: finite; relevant: which of them are.
    """
    order = np.lexsort((-scores, user))
    user, scores, relevant = user[order], scores[order], relevant[order]
    new_user = np.r_[True, user[1:] != user[:-1]]
    # Equals of a user stand side by side: where they begin, and how many there are.
    groups = np.flatnonzero(new_user | np.r_[True, scores[1:] != scores[:-1]])
    sizes = np.diff(np.r_[groups, len(user)])
    above = groups - np.flatnonzero(new_user)[user[groups]]
    group = np.repeat(np.arange(len(groups)), sizes)[relevant]
    return Standing(user[relevant], above[group], sizes[group], int(user[-1]) + 1)


def sorted_places(
    scores: NDArray[np.floating[Any]], row: NDArray[np.int64], own: NDArray[np.floating[Any]]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """How many cells of its row are above each value, and how many are its equals; by sorting every row.

    Args:
        scores: (rows, columns).
        row: of each value, (values,).
        own: a cell of that row, (values,).
    """
    ordered = np.sort(scores, axis=1)
    below = _insertion(ordered, row, own, "left")
    up_to = below + 1
    # Hardly any value has equals, and the others are done.
    more = np.flatnonzero(ordered[row, np.minimum(up_to, ordered.shape[1] - 1)] == own)
    up_to[more] = _insertion(ordered, row[more], own[more], "right")
    return scores.shape[1] - up_to, up_to - below


def _insertion(
    ordered: NDArray[np.floating[Any]], row: NDArray[np.int64], own: NDArray[np.floating[Any]], side: str
) -> NDArray[np.int64]:
    """`np.searchsorted` of each value in its own row, all values halving their ranges at once."""
    first, last = np.zeros(len(row), dtype=np.int64), np.full(len(row), ordered.shape[1], dtype=np.int64)
    for _ in range(ordered.shape[1].bit_length()):
        middle = (first + last) // 2
        # A range that is empty stays so: it looks at the last column at most, and moves neither end.
        at = ordered[row, np.minimum(middle, ordered.shape[1] - 1)]
        right = ((at < own) if side == "left" else (at <= own)) & (first < last)
        first, last = np.where(right, middle + 1, first), np.where(right, last, middle)
    return first


def sums(ranks: Standing, values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sum of a value for each relevant item by user, (users,)."""
    return np.bincount(ranks.user, weights=values, minlength=ranks.users).astype(np.float64)


def tie_groups(ordered: NDArray[np.floating[Any]]) -> NDArray[np.int64]:
    """First position of each run of equal values in a sorted array."""
    return np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
