"""EASE^R: the linear item-to-item model with a zero diagonal, in closed form (Steck, WWW 2019)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pipeline.item_weights import item_weights

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from scipy.sparse import csr_matrix

    from pipeline.dataset import Dataset


class Ease:
    """Scores X_u B of the item weights B.

    X has 1 for a like and, where dislikes are given a weight, minus that for a dislike.
    """

    def __init__(self, weights: NDArray[np.float32], rated: NDArray[np.int64], history: csr_matrix, items: int) -> None:
        """
        Args:
            weights: B over the rated items, (rated, rated).
            rated: items that have a column in X that is not zero, ascending.
            history: X, users x rated.
            items: number of all items.
        """
        self.weights = weights
        self.rated = rated
        self.history = history
        self.items = items

    @classmethod
    def fit(cls, data: Dataset, l2: float, dislike_weight: float = 0.0) -> Ease:
        """
        Args:
            dislike_weight: how much a dislike counts against a like's 1; 0 leaves dislikes out.
        """
        # A sum of sparse matrices stores no zeros: an item with dislikes of no weight counts as unrated.
        history = (data.train_likes.astype(np.float64) - dislike_weight * data.train_dislikes).tocsr()
        rated = np.flatnonzero(history.getnnz(axis=0))
        history = history[:, rated]
        return cls(item_weights(history, l2), rated, history.astype(np.float32), data.items)

    def score(self, users: NDArray[np.int64]) -> NDArray[np.float32]:
        scores = np.zeros((len(users), self.items), dtype=np.float32)
        scores[:, self.rated] = self.history[users] @ self.weights
        return scores
