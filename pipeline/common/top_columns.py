"""The columns with the highest scores of many rows at once, in an order that no tie leaves open."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Stands in the places of a row that has fewer columns to give than it was asked for.
NONE = -1
# Cells looked at at once: what is made of them stays in the cache.
CELLS = 262_144
# Columns of which the highest alone stands for all when the limit is looked for.
GROUP = 16


def best_columns(scores: NDArray[np.floating[Any]], count: int, above: float = -np.inf) -> NDArray[np.int32]:
    """The first ``count`` columns of each row by falling score, equal ones by their index.

    No row is sorted: a limit below which none of its first ``count`` can lie leaves a few columns, and these are.

    Args:
        scores: (rows, columns), no NaN.
        above: scores up to this do not count.

    Returns:
        (rows, count), `NONE` where too few scores count.
    """
    rows, width = scores.shape
    found = np.full((rows, count), NONE, dtype=np.int32)
    if not count or not width:
        return found
    least = np.nextafter(scores.dtype.type(above), scores.dtype.type(np.inf))
    step = max(CELLS // width, 1)
    for first in range(0, rows, step):
        part = scores[first : first + step]
        row, column = np.divmod(np.flatnonzero(part >= np.maximum(_limits(part, count), least)), width)
        order = np.lexsort((-part[row, column], row))
        row, column = row[order], column[order]
        place = np.arange(len(row)) - np.searchsorted(row, row)
        kept = place < count
        found[first + row[kept], place[kept]] = column[kept]
    return found


def _limits(scores: NDArray[np.floating[Any]], count: int) -> NDArray[np.floating[Any]]:
    """For each row a score that at least ``count`` columns reach, (rows, 1), if it has so many."""
    rows, width = scores.shape
    if count >= width:
        return np.full((rows, 1), -np.inf, dtype=scores.dtype)
    # As many columns reach the count-th highest of the groups' highest scores; there are fewer of these to go through.
    groups = max(min(GROUP, width // (4 * count)), 1)
    length = width // groups
    in_groups = scores[:, : groups * length].reshape(rows, groups, length)
    highest: NDArray[np.floating[Any]] = in_groups.max(axis=1)
    highest.partition(length - count, axis=1)
    return highest[:, [length - count]]
