"""95% intervals by the bootstrap over users: a difference can be told from noise."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from pipeline.evaluation.metrics.kinds import OverUsers
from pipeline.evaluation.protocols.split import PerUser

if TYPE_CHECKING:
    from numpy.typing import NDArray

LEVELS = (2.5, 97.5)
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


def pooled_figure(pooled: OverUsers, samples: int, random: np.random.Generator) -> Figure:
    """Interval of a figure over all pairs: whole users are drawn, with all their pairs."""
    resampled = [pooled.of(times) for times in times_drawn(pooled.users, samples, random)]
    return _figure(pooled.value, np.concatenate(resampled), pooled.users)


def _figure(value: float, resampled: NDArray[np.float64], users: int) -> Figure:
    low, high = np.nanpercentile(resampled, LEVELS)
    return Figure(value, float(low), float(high), users)
