"""95% intervals by the bootstrap over users: a difference can be told from noise."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from pipeline.evaluation.metrics import auc_of_sorted, tie_groups
from pipeline.evaluation.protocols import PerUser, ScoredPairs

if TYPE_CHECKING:
    from numpy.typing import NDArray

LEVELS = (2.5, 97.5)
POOLED_SAMPLES = 200


class Figure(NamedTuple):
    """A value, its 95% interval (None where a metric has none), and the users it rests on."""

    value: float
    low: float | None
    high: float | None
    users: int


def mean_figure(values: PerUser, samples: int, random: np.random.Generator) -> Figure:
    """Interval of a mean over users."""
    count = len(values.values)
    means = np.array([values.values[random.integers(count, size=count)].mean() for _ in range(samples)])
    return _figure(values.mean, means, count)


def pooled_auc_figure(pairs: ScoredPairs, samples: int, random: np.random.Generator) -> Figure:
    """Interval of the AUC over all pairs: whole users are drawn, with all their pairs.

    Every sample goes over all pairs, so there are at most `POOLED_SAMPLES` of them.
    """
    order = np.argsort(pairs.scores, kind="stable")
    groups, labels = tie_groups(pairs.scores[order]), pairs.labels[order]
    names, place = np.unique(pairs.users, return_inverse=True)
    place = place[order]

    def resampled(times: NDArray[np.float64]) -> float:
        return auc_of_sorted(groups, labels, times[place])

    return _figure(
        auc_of_sorted(groups, labels),
        _resampled(resampled, len(names), min(samples, POOLED_SAMPLES), random),
        len(names),
    )


def threshold_figures(
    pairs: ScoredPairs, threshold: float, samples: int, random: np.random.Generator
) -> dict[str, Figure]:
    """Accuracy and F1 of calling every pair at or above the threshold a like."""
    names, place = np.unique(pairs.users, return_inverse=True)
    called = pairs.scores >= threshold
    kinds = [pairs.labels & called, ~pairs.labels & called, pairs.labels & ~called, ~pairs.labels & ~called]
    counts = np.stack([np.bincount(place, weights=kind, minlength=len(names)) for kind in kinds])

    def accuracy(times: NDArray[np.float64]) -> float:
        hits, false, missed, correct = counts @ times
        return float((hits + correct) / (hits + false + missed + correct))

    def f1(times: NDArray[np.float64]) -> float:
        hits, false, missed, _ = counts @ times
        return float(2 * hits / max(2 * hits + false + missed, 1))

    once = np.ones(len(names))
    return {
        name: _figure(metric(once), _resampled(metric, len(names), samples, random), len(names))
        for name, metric in (("accuracy", accuracy), ("f1", f1))
    }


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


def _resampled(
    metric: Callable[[NDArray[np.float64]], float], users: int, samples: int, random: np.random.Generator
) -> NDArray[np.float64]:
    """The metric for bootstrap samples, each given as how often every user was drawn."""
    return np.array(
        [metric(np.bincount(random.integers(users, size=users), minlength=users).astype(float)) for _ in range(samples)]
    )


def _figure(value: float, resampled: NDArray[np.float64], users: int) -> Figure:
    low, high = np.nanpercentile(resampled, LEVELS)
    return Figure(value, float(low), float(high), users)
