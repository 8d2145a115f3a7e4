"""From our indices to RecBole's, and scores back into our columns."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

UNKNOWN = -1
PADDING = "[PAD]"


def places(tokens: Iterable[str], count: int) -> NDArray[np.int64]:
    """RecBole's number of each of our indices, (count,); `UNKNOWN` where it has none.

    Args:
        tokens: what RecBole calls its numbers 0, 1, …: our indices as text, and its padding.
        count: how many indices we have.
    """
    found = np.full(count, UNKNOWN, dtype=np.int64)
    for place, token in enumerate(tokens):
        if token != PADDING:
            found[int(token)] = place
    return found


def in_our_columns(scores: NDArray[np.float32], columns: NDArray[np.int64]) -> NDArray[np.float32]:
    """Scores over RecBole's items as scores over ours; items that it does not know stand below all others."""
    known = columns != UNKNOWN
    lowest = scores[:, columns[known]].min(axis=1, keepdims=True)
    # A float32 step of 1 is lost on large scores, a step in proportion is not.
    below = lowest - np.maximum(np.abs(lowest), 1)
    result = np.repeat(below.astype(np.float32), len(columns), axis=1)
    result[:, known] = scores[:, columns[known]]
    return result
