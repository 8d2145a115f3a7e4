"""Ranking metrics per user and AUC, as pure functions over arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.evaluation.protocols.ranks import Standing

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
    return _sums(ranks, gains) / best


def recall(ranks: Standing, k: int) -> NDArray[np.float64]:
    """Recall@k, (users,): the share of a user's relevant items that stand in the first k."""
    return _sums(ranks, _chance_within(ranks, k)) / ranks.relevant


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


def _none_among(size: int, members: int, places: int) -> float:
    """Probability that none of ``members`` special items of a shuffled group of ``size`` is among its first ``places``."""
    if members > size - places:
        return 0.0
    steps = np.arange(places)
    return float(np.prod((size - members - steps) / (size - steps)))


def _chance_within(ranks: Standing, k: int) -> NDArray[np.float64]:
    return np.asarray(np.clip((k - ranks.above) / ranks.tied, 0.0, 1.0), dtype=np.float64)


def _sums(ranks: Standing, values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.bincount(ranks.user, weights=values, minlength=ranks.users).astype(np.float64)


def auc(
    scores: NDArray[np.floating[Any]], labels: NDArray[np.bool_], weights: NDArray[np.float64] | None = None
) -> float:
    """Probability that a positive scores above a negative, ties counting half; NaN without both kinds.

    Args:
        weights: how often each pair counts, for the bootstrap.
    """
    order = np.argsort(scores, kind="stable")
    return auc_of_sorted(tie_groups(scores[order]), labels[order], None if weights is None else weights[order])


def tie_groups(ordered: NDArray[np.floating[Any]]) -> NDArray[np.int64]:
    """First position of each run of equal values in a sorted array."""
    return np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])


def auc_of_sorted(
    groups: NDArray[np.int64], labels: NDArray[np.bool_], weights: NDArray[np.float64] | None = None
) -> float:
    """AUC of pairs sorted by score, `groups` as from `tie_groups`: cheap to repeat with other weights."""
    ones = np.ones(len(labels)) if weights is None else weights
    positives, negatives = ones * labels, ones * ~labels
    if len(groups) < len(labels):
        positives, negatives = np.add.reduceat(positives, groups), np.add.reduceat(negatives, groups)
    total = positives.sum() * negatives.sum()
    if total == 0:
        return float("nan")
    below = np.cumsum(negatives) - negatives
    return float((positives * (below + negatives / 2)).sum() / total)


def auc_per_user(
    user: NDArray[np.int64], scores: NDArray[np.floating[Any]], labels: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """AUC within each user that has both a positive and a negative: (users that have both, their AUCs).

    By the Mann-Whitney statistic over average ranks, all users at once.
    """
    if not len(user):
        return np.zeros(0, dtype=np.int64), np.zeros(0)
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
    return names[both], statistic / (positives[both] * negatives[both])
