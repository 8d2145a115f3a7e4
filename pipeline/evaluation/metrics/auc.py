"""AUC: the probability that a positive scores above a negative, ties counting half; within each user, and over all pairs."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.common.cached_njit import cached_njit
from pipeline.evaluation.metrics.kinds import OverUsers
from pipeline.evaluation.protocols.ranks import tie_groups
from pipeline.evaluation.protocols.split import PerUser, ScoredPairs

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Samples whose sums are carried along together: their rows of weights stay in the processor's cache.
TOGETHER = 64


def user_auc(pairs: ScoredPairs) -> PerUser:
    """AUC within each user who has both a positive and a negative.

    By the Mann-Whitney statistic over average ranks, all users at once.
    """
    user, scores, labels = pairs.users, pairs.scores, pairs.labels
    if not len(user):
        return PerUser(np.zeros(0, dtype=np.int64), np.zeros(0))
    order = np.lexsort((scores, user))
    user, scores, labels = user[order], scores[order], labels[order]
    names, starts, place = np.unique(user, return_index=True, return_inverse=True)
    new = np.flatnonzero(np.r_[True, (scores[1:] != scores[:-1]) | (user[1:] != user[:-1])])
    sizes = np.diff(np.r_[new, len(user)])
    average = np.repeat(new + (sizes - 1) / 2, sizes) - starts[place]
    positives = np.bincount(place, weights=labels)
    negatives = np.bincount(place) - positives
    rank_sums = np.bincount(place, weights=average * labels)
    both = (positives > 0) & (negatives > 0)
    statistic = rank_sums[both] - positives[both] * (positives[both] - 1) / 2
    return PerUser(names[both], statistic / (positives[both] * negatives[both]))


def pooled_auc(pairs: ScoredPairs, _: float | None = None) -> OverUsers:
    """AUC over all pairs of both kinds, a user's pairs counting as often as the user is drawn; NaN where one kind is not drawn.

    The pairs are sorted once, and one walk along them serves many samples. All sums are of halves of whole numbers, which
    floats hold exactly: their order changes no byte.
    """
    order = np.argsort(pairs.scores, kind="stable")
    names, owner = np.unique(pairs.users, return_inverse=True)
    ends = np.r_[tie_groups(pairs.scores[order])[1:], len(order)]
    labels, owner = pairs.labels[order], owner[order]

    def of(times: NDArray[np.float64]) -> NDArray[np.float64]:
        found = np.empty(len(times))
        walk = _compiled()
        for start in range(0, len(times), TOGETHER):
            some = np.ascontiguousarray(times[start : start + TOGETHER].T)
            found[start : start + TOGETHER] = walk(ends, labels, owner, some)
        return found

    return OverUsers(len(names), of)


@cache
def _compiled() -> Callable[..., NDArray[np.float64]]:
    compiled: Callable[..., NDArray[np.float64]] = cached_njit()(_walk)
    return compiled


def _walk(ends: Any, labels: Any, owner: Any, times: Any) -> Any:
    """
    Args:
        ends: where each run of equal scores ends among the pairs, which ascend by score.
        labels: of each pair; owner: its user, a row of `times`.
        times: (users, samples).

    Returns:
        The AUC of each sample, (samples,).
    """
    samples = times.shape[1]
    below, wins, liked = np.zeros(samples), np.zeros(samples), np.zeros(samples)
    positives, negatives = np.zeros(samples), np.zeros(samples)
    pair = 0
    for end in ends:
        positives[:] = 0.0
        negatives[:] = 0.0
        while pair < end:
            row = times[owner[pair]]
            if labels[pair]:
                for sample in range(samples):
                    positives[sample] += row[sample]
            else:
                for sample in range(samples):
                    negatives[sample] += row[sample]
            pair += 1
        for sample in range(samples):
            wins[sample] += positives[sample] * (below[sample] + negatives[sample] / 2)
            below[sample] += negatives[sample]
            liked[sample] += positives[sample]
    for sample in range(samples):
        total = liked[sample] * below[sample]
        wins[sample] = wins[sample] / total if total > 0 else np.nan
    return wins
