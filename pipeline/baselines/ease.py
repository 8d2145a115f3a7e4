"""EASE^R: the linear item-to-item model with a zero diagonal, in closed form (Steck, WWW 2019)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from scipy.sparse import csr_matrix

    from pipeline.dataset import Dataset


class Ease:
    """B = argmin ||X - X B||^2 + l2 ||B||^2 with diag(B) = 0: B_ij = -P_ij / P_jj for i != j, P = (X^T X + l2 I)^-1.

    X has 1 for a like and, where dislikes are given a weight, minus that for a dislike; a user scores by X_u B.
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
        """Items with a column of zeros in X have only zeros in B, so they are left out of the matrix that is inverted.

        Args:
            dislike_weight: how much a dislike counts against a like's 1; 0 leaves dislikes out.
        """
        from scipy.linalg import cho_factor
        from scipy.linalg.lapack import dpotri

        # A sum of sparse matrices stores no zeros: an item with dislikes of no weight counts as unrated.
        history = (data.train_likes.astype(np.float64) - dislike_weight * data.train_dislikes).tocsr()
        rated = np.flatnonzero(history.getnnz(axis=0))
        history = history[:, rated]
        gram = (history.T @ history).toarray()
        gram[np.diag_indices_from(gram)] += l2
        # The inverse out of the Cholesky factor itself takes a third of the time of solving for the unit matrix, and less
        # than putting it together from eigenvectors, even if those are shared by several l2.
        half, _ = dpotri(cho_factor(gram, lower=True, overwrite_a=True)[0], lower=True)
        inverse = np.tril(half) + np.tril(half, -1).T
        weights = -inverse / np.diag(inverse)
        np.fill_diagonal(weights, 0.0)
        return cls(weights.astype(np.float32), rated, history.astype(np.float32), data.items)

    def score(self, users: NDArray[np.int64]) -> NDArray[np.float32]:
        scores = np.zeros((len(users), self.items), dtype=np.float32)
        scores[:, self.rated] = self.history[users] @ self.weights
        return scores
