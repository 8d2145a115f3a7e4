"""What simple counts say of a user and an item: the features of `trees`.

Of the item: its likes, the likes of its neighbours in the graph (their sum weighted by overlap, and their mean), its degree (the sum of its
overlaps). Of the item and the user's likes: the largest and the mean overlap, the largest and the mean cosine of who liked them, and the
mean likes of the user's likes. Where there are dislikes, the same of dislikes; their cosine is of who disliked the one and liked the other.
Not a number: a mean over nothing. No feature tells how many items a user has liked, disliked or been asked about.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.common.cached_njit import cached_njit

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray
    from scipy.sparse import csr_matrix

# Pairs of items that share an entity, counted for each entity: of more, the commonest entities, which say least, are left out.
MOST_PAIRS = 50_000_000
# Of the item and one kind of history: its count, that of its neighbours in sum and mean; largest and mean overlap, and cosine; mean count.
OF_KIND = 8


def overlaps(entities: csr_matrix) -> csr_matrix:
    """How much items share: the cosine of their sets N_i, an entity weighted by log(items / items that have it); zero diagonal.

    Args:
        entities: (items, entities), 1 where the entity is in N_i.
    """
    having = np.asarray(entities.sum(axis=0), dtype=np.float64).ravel()
    order = np.argsort(having, kind="stable")
    kept = np.zeros(len(having), dtype=bool)
    kept[order] = np.cumsum(having[order] ** 2) <= MOST_PAIRS
    rarity = np.where(kept & (having > 0), np.log(entities.shape[0] / np.maximum(having, 1)), 0.0)
    weighted = entities.astype(np.float64).multiply(rarity).tocsr()
    weighted.eliminate_zeros()
    return _cosines(weighted.T.tocsr(), weighted.T.tocsr())


def _cosines(given: csr_matrix, likes: csr_matrix) -> csr_matrix:
    """Of each column of the one matrix with each of the other, (items, items), zero diagonal; 0 with a column of zeros."""
    from scipy.sparse import diags

    scales = []
    for matrix in (given, likes):
        squares = np.asarray(matrix.multiply(matrix).sum(axis=0)).ravel()
        scales.append(diags(1 / np.sqrt(np.where(squares > 0, squares, 1.0))))
    found = (scales[0] @ (given.T @ likes) @ scales[1]).tocsr()
    found.setdiag(0)
    found.eliminate_zeros()
    found.sort_indices()
    return found


class PairFeatures:
    """Features from the counts of some users; others may ask."""

    def __init__(self, overlap: csr_matrix, histories: tuple[csr_matrix, ...], counted: NDArray[np.bool_]) -> None:
        """
        Args:
            overlap: (items, items).
            histories: likes of the training split, users x items, and dislikes, if there are any.
            counted: the users that are counted, (users,).
        """
        self.overlap, self.histories = overlap, histories
        # As many as if all users were counted, so that features from some users look like those from all.
        scale = len(counted) / counted.sum()
        likes = histories[0][counted]
        self.counts = [scale * np.asarray(given[counted].sum(axis=0)).ravel() for given in histories]
        # By item of the history, and by candidate.
        self.cosines = [_cosines(given[counted], likes) for given in histories]
        self.by_candidate = [cosines.T.tocsr() for cosines in self.cosines]
        degree = np.asarray(overlap.sum(axis=1)).ravel()
        around = [overlap @ count for count in self.counts]
        # Without a graph there is no mean to be missing, and trees cannot read a column of nothing but NaN.
        divisor = degree if degree.any() else np.ones(len(degree))
        with np.errstate(invalid="ignore"):
            self._of_item = [(count, total, total / divisor) for count, total in zip(self.counts, around, strict=True)]
        self._degree = degree

    def _start(self, count: int, items: NDArray[np.int64] | slice) -> NDArray[np.float32]:
        """Features of items, those of their histories left open."""
        features = np.empty((count, 1 + OF_KIND * len(self.histories)), dtype=np.float32)
        features[:, 0] = self._degree[items]
        for number, columns in enumerate(self._of_item):
            for place, values in enumerate(columns, 1 + OF_KIND * number):
                features[:, place] = values[items]
        return features

    def of_user(self, user: int) -> NDArray[np.float32]:
        """Of all items for a user, (items, features)."""
        items = len(self._degree)
        features = self._start(items, slice(None))
        scatter = _compiled()[0]
        for number, given in enumerate(self.histories):
            start = 4 + OF_KIND * number
            history = given.indices[given.indptr[user] : given.indptr[user + 1]]
            for place, similar in ((start, self.overlap), (start + 2, self.cosines[number])):
                scatter(history, similar.indptr, similar.indices, similar.data, features[:, place : place + 2])
            features[:, start + 4] = self.counts[number][history].mean() if len(history) else np.nan
        return features

    def of_pairs(
        self, users: NDArray[np.int64], items: NDArray[np.int64], without: tuple[NDArray[np.int64], ...]
    ) -> NDArray[np.float32]:
        """(pairs, features).

        Args:
            users: of each pair, ascending.
            items: the candidates.
            without: for each kind of history an item of it that is not looked at, -1 for none, (pairs,).
        """
        features = self._start(len(users), items)
        gather = _compiled()[1]
        for number, (given, left_out) in enumerate(zip(self.histories, without, strict=True)):
            start, count = 4 + OF_KIND * number, self.counts[number]
            for place, similar in ((start, self.overlap), (start + 2, self.by_candidate[number])):
                gather(
                    users, items, left_out, given.indptr, given.indices, similar.indptr, similar.indices, similar.data,
                    features[:, place : place + 2],
                )  # fmt: skip
            taken = left_out >= 0
            size = np.diff(given.indptr)[users] - taken
            total = (given @ count)[users] - np.where(taken, count[left_out], 0.0)
            features[:, start + 4] = np.where(size > 0, total / np.maximum(size, 1), np.nan)
        return features


@cache
def _compiled() -> tuple[Callable[..., None], Callable[..., None]]:
    compiled = cached_njit(nogil=True)
    return compiled(_scatter), compiled(_gather)


def _scatter(history: Any, starts: Any, others: Any, values: Any, out: Any) -> None:
    """Largest and mean similarity of all items to a history, (items, 2), filled in; similarities are by items of the history."""
    # Side by side in memory, unlike the columns of `out`.
    sums, most = np.zeros(len(out)), np.zeros(len(out))
    for item in history:
        for place in range(starts[item], starts[item + 1]):
            other = others[place]
            sums[other] += values[place]
            most[other] = max(most[other], values[place])
    # Number by number: for whole columns numba compiles, in several seconds, the words of an error about their lengths.
    for other in range(len(out)):
        if len(history):
            out[other, 0], out[other, 1] = most[other], sums[other] / len(history)
        else:
            out[other, 0] = out[other, 1] = np.nan


def _gather(
    users: Any, items: Any, without: Any, given_starts: Any, given_items: Any, starts: Any, others: Any, values: Any,
    out: Any,
) -> None:  # fmt: skip
    """The same of some pairs, (pairs, 2), filled in.

    Args:
        without: of each pair, the item of the history that is not looked at, or -1.
        given_starts: where each user's history begins in `given_items`.
        values: similarities by candidate.
    """
    given = np.zeros(len(starts) - 1, dtype=np.bool_)
    last, first, end = -1, 0, 0
    for pair in range(len(users)):
        if users[pair] != last:
            for place in range(first, end):
                given[given_items[place]] = False
            last = users[pair]
            first, end = given_starts[last], given_starts[last + 1]
            for place in range(first, end):
                given[given_items[place]] = True
        size = end - first - (without[pair] >= 0)
        most, total = 0.0, 0.0
        for place in range(starts[items[pair]], starts[items[pair] + 1]):
            other = others[place]
            if given[other] and other != without[pair]:
                total += values[place]
                most = max(most, values[place])
        if size:
            out[pair, 0], out[pair, 1] = most, total / size
        else:
            out[pair, 0] = out[pair, 1] = np.nan
