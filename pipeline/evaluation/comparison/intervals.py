"""95% intervals by the bootstrap over users: a difference can be told from noise."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from pipeline.evaluation.metrics.ndcg import auc_of_sorted, tie_groups
from pipeline.evaluation.protocols.split import PerUser, ScoredPairs

if TYPE_CHECKING:
    from numpy.typing import NDArray

LEVELS = (2.5, 97.5)
POOLED_SAMPLES = 200
# Cells of the samples x users matrix of draws that are held at once: some 50 megabytes with the draws themselves.
BLOCK_CELLS = 2_000_000


class Figure(NamedTuple):
    """A value, its 95% interval (None where a metric has none), and the users it rests on."""

    value: float
    low: float | None
    high: float | None
    users: int


def mean_figure(values: PerUser, samples: int, random: np.random.Generator) -> Figure:
    """Interval of a mean over users."""
    count = len(values.values)
    means = np.concatenate([values.values[drawn].mean(axis=1) for drawn in drawn_users(count, samples, random)])
    return _figure(values.mean, means, count)


def drawn_users(users: int, samples: int, random: np.random.Generator) -> Iterator[NDArray[np.int64]]:
    """Whom each bootstrap sample draws, (samples of a block, users), in blocks of bounded memory: the draws do not depend on their size."""
    size = max(BLOCK_CELLS // users, 1)
    for start in range(0, samples, size):
        yield random.integers(users, size=(min(size, samples - start), users))


def times_drawn(users: int, samples: int, random: np.random.Generator) -> Iterator[NDArray[np.float64]]:
    """As `drawn_users`: how often each sample draws each user."""
    for drawn in drawn_users(users, samples, random):
        drawn += users * np.arange(len(drawn))[:, None]
        yield np.bincount(drawn.ravel(), minlength=drawn.size).reshape(drawn.shape).astype(np.float64)


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

    samples = min(samples, POOLED_SAMPLES)
    aucs = [resampled(row) for times in times_drawn(len(names), samples, random) for row in times]
    return _figure(auc_of_sorted(groups, labels), np.array(aucs), len(names))


def threshold_figures(
    pairs: ScoredPairs, threshold: float, samples: int, random: np.random.Generator
) -> dict[str, Figure]:
    """Accuracy and F1 of calling every pair at or above the threshold a like."""
    names, place = np.unique(pairs.users, return_inverse=True)
    called = pairs.scores >= threshold
    kinds = [pairs.labels & called, ~pairs.labels & called, pairs.labels & ~called, ~pairs.labels & ~called]
    counts = np.stack([np.bincount(place, weights=kind, minlength=len(names)) for kind in kinds])

    def accuracy(hits: Any, false: Any, missed: Any, correct: Any) -> Any:
        return (hits + correct) / (hits + false + missed + correct)

    def f1(hits: Any, false: Any, missed: Any, _: Any) -> Any:
        return 2 * hits / np.maximum(2 * hits + false + missed, 1)

    found = {}
    for name, metric in (("accuracy", accuracy), ("f1", f1)):
        resampled = [metric(*(counts @ times.T)) for times in times_drawn(len(names), samples, random)]
        found[name] = _figure(float(metric(*counts.sum(axis=1))), np.concatenate(resampled), len(names))
    return found


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


def _figure(value: float, resampled: NDArray[np.float64], users: int) -> Figure:
    low, high = np.nanpercentile(resampled, LEVELS)
    return Figure(value, float(low), float(high), users)
