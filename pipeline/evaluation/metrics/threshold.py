"""Accuracy and F1 of calling every pair at or above a threshold a like."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.evaluation.metrics.kinds import OverUsers
from pipeline.evaluation.protocols.split import ScoredPairs

if TYPE_CHECKING:
    from numpy.typing import NDArray


def accuracy(pairs: ScoredPairs, threshold: float | None) -> OverUsers:
    """The share of pairs that are called by what they are."""
    return _of_counts(
        pairs, threshold, lambda hits, false, missed, right: (hits + right) / (hits + false + missed + right)
    )


def f1(pairs: ScoredPairs, threshold: float | None) -> OverUsers:
    """The harmonic mean of precision and recall of what is called a like; 0 where nothing is one or called so."""
    return _of_counts(
        pairs, threshold, lambda hits, false, missed, _: 2 * hits / np.maximum(2 * hits + false + missed, 1)
    )


def _of_counts(pairs: ScoredPairs, threshold: float | None, metric: Callable[..., Any]) -> OverUsers:
    assert threshold is not None
    names, place = np.unique(pairs.users, return_inverse=True)
    called = pairs.scores >= threshold
    kinds = [pairs.labels & called, ~pairs.labels & called, pairs.labels & ~called, ~pairs.labels & ~called]
    counts = np.stack([np.bincount(place, weights=kind, minlength=len(names)) for kind in kinds])

    def of(times: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(metric(*(counts @ times.T)))

    return OverUsers(len(names), of)


def best_threshold(pairs: ScoredPairs) -> float:
    """The threshold with the highest accuracy, to be taken on validation; between two scores, their middle."""
    order = np.argsort(-pairs.scores, kind="stable")
    scores, labels = pairs.scores[order], pairs.labels[order]
    # Calling the first n pairs likes gets n's likes right and the dislikes after n.
    right = np.r_[0, np.cumsum(labels)] + np.r_[0, np.cumsum(~labels)][-1] - np.r_[0, np.cumsum(~labels)]
    possible = np.r_[True, scores[1:] != scores[:-1], True]
    best = int(np.argmax(np.where(possible, right, -1)))
    if best == 0:
        return float(np.nextafter(scores[0], np.inf))
    if best == len(scores):
        return float(scores[-1])
    return float((scores[best - 1] + scores[best]) / 2)
