"""Pairs of a row and a column (edges of a graph), by row and by column, for loops that compute one row or one column at a time.

Such loops write nothing twice: rows can be shared out among threads, and the result has the same bytes for any number of them.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from pipeline.common.cached_njit import cached_njit
from pipeline.common.cores import cores_here

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

# Blocks of rows for each thread: as many as balance rows of unequal cost.
BLOCKS_PER_THREAD = 4


class SortedPairs(NamedTuple):
    """
    Attributes:
        starts: where each row's pairs begin, (rows + 1,).
        columns: of the pairs, by row and then by column, (pairs,).
        column_starts: where each column's pairs begin, (columns + 1,).
        rows: of the pairs, by column and then by row, (pairs,).
        places: where each of those is in ``columns``, (pairs,).
    """

    starts: NDArray[np.int64]
    columns: NDArray[np.int32]
    column_starts: NDArray[np.int64]
    rows: NDArray[np.int32]
    places: NDArray[np.int64]

    def by_row(self) -> NDArray[np.int64]:
        """Row and column of each pair, (2, pairs)."""
        return np.stack([np.repeat(np.arange(len(self.starts) - 1), np.diff(self.starts)), self.columns])


def sorted_pairs(
    rows: NDArray[np.integer[Any]], columns: NDArray[np.integer[Any]], size: tuple[int, int]
) -> SortedPairs:
    """Sort pairs in time proportional to their number; a pair that is given twice is there twice.

    Args:
        rows, columns: of each pair, (pairs,).
        size: number of all rows, and of all columns.

    Raises:
        ValueError: a row or column beyond them.
    """
    for values, count in zip((rows, columns), size, strict=True):
        if len(values) and not 0 <= values.min() <= values.max() < count:
            raise ValueError(f"pairs: found numbers {values.min()} to {values.max()}, expected 0 to {count - 1}")
    row, column = rows.astype(np.int32), columns.astype(np.int32)
    _, order = _counted(column, size[1])
    row, column = row[order], column[order]
    starts, order = _counted(row, size[0])
    row, column = row[order], column[order]
    column_starts, places = _counted(column, size[1])
    return SortedPairs(starts, column, column_starts, row[places], places)


def _counted(values: NDArray[np.int32], count: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Where each value below ``count`` begins in their order, (count + 1,), and that order, equal ones as they come, (values,)."""
    starts = np.r_[0, np.cumsum(np.bincount(values, minlength=count))]
    order = np.empty(len(values), dtype=np.int64)
    _compiled()(values, starts[:-1].copy(), order)
    return starts, order


@cache
def _compiled() -> Callable[..., None]:
    """The loop as machine code, which numba keeps beside this file."""
    compiled: Callable[..., None] = cached_njit(nogil=True)(_place)
    return compiled


def _place(values: NDArray[np.int32], free: NDArray[np.int64], order: NDArray[np.int64]) -> None:
    """Write each value's number to the next free place among its equals."""
    for number in range(len(values)):
        value = values[number]
        order[free[value]] = number
        free[value] += 1


def by_blocks(kernel: Callable[..., Any], starts: NDArray[np.int64], *arguments: Any) -> None:
    """Call ``kernel(first, last, *arguments)`` for blocks of rows of about equal cost, as many at once as there are cores.

    Args:
        starts: where each row's pairs begin, (rows + 1,).
    """
    rows, threads = len(starts) - 1, cores_here()
    if threads == 1:
        kernel(0, rows, *arguments)
        return
    # A row counts as well as its pairs.
    cost = starts + np.arange(rows + 1)
    bounds = np.unique(np.searchsorted(cost, np.linspace(0, cost[-1], threads * BLOCKS_PER_THREAD + 1)))
    parts = bounds[:-1].tolist(), bounds[1:].tolist()
    for _ in _pool(threads).map(lambda first, last: kernel(first, last, *arguments), *parts):
        pass


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    """Kept: to start threads takes as long as many a call."""
    return ThreadPoolExecutor(threads)
