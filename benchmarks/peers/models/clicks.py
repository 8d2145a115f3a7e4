"""What a user clicked, and what is drawn against it: both are the same for all of our implementations."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from scipy.sparse import csr_matrix

NOTHING = -1


def clicked(likes: csr_matrix, most: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """The training likes of each user, (users, most), then `NOTHING`; of users with more, some that are drawn once."""
    rows = np.full((likes.shape[0], most), NOTHING, dtype=np.int64)
    for user, (start, end) in enumerate(zip(likes.indptr[:-1], likes.indptr[1:], strict=True)):
        items = likes.indices[start:end]
        kept = items if len(items) <= most else rng.choice(items, most, replace=False)
        rows[user, : len(kept)] = np.sort(kept)
    return rows


def not_liked(users: NDArray[np.int64], count: int, likes: csr_matrix, rng: np.random.Generator) -> NDArray[np.int64]:
    """Items drawn alike for each user that are none of his training likes, (users, count).

    A user who likes all items gets some of these.
    """
    items = likes.shape[1]
    liked = np.repeat(np.arange(likes.shape[0]), np.diff(likes.indptr)) * items + likes.indices
    liked = np.sort(liked)
    drawn = rng.integers(items, size=(len(users), count))
    for _ in range(100):
        wrong = np.isin(users[:, None] * items + drawn, liked)
        if not wrong.any():
            break
        drawn[wrong] = rng.integers(items, size=int(wrong.sum()))
    return drawn
