"""EASE^R: the linear item-to-item model with a zero diagonal, in closed form (Steck, WWW 2019)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from scipy.sparse import csr_matrix

    from pipeline.dataset import Dataset


class Ease:
    """B = argmin ||X - X B||^2 + l2 ||B||^2 with diag(B) = 0: B_ij = -P_ij / P_jj for i != j, P = (X^T X + l2 I)^-1."""

    def __init__(self, weights: NDArray[np.float32], liked: NDArray[np.int64], likes: csr_matrix, items: int) -> None:
        self.weights = weights
        self.liked = liked
        self.likes = likes
        self.items = items

    @classmethod
    def fit(cls, data: Dataset, l2: float) -> Ease:
        """Items without a like have only zeros in B, so they are left out of the matrix that is inverted."""
        from scipy.linalg import cho_factor, cho_solve

        liked = np.flatnonzero(data.train_likes.getnnz(axis=0))
        likes = data.train_likes[:, liked]
        gram = np.asarray((likes.T @ likes).toarray(), dtype=np.float64)
        gram[np.diag_indices_from(gram)] += l2
        inverse = cho_solve(cho_factor(gram, lower=True), np.eye(len(liked)))
        weights = -inverse / np.diag(inverse)
        np.fill_diagonal(weights, 0.0)
        return cls(weights.astype(np.float32), liked, likes.tocsr(), data.items)

    def score(self, users: NDArray[np.int64]) -> NDArray[np.float32]:
        scores = np.zeros((len(users), self.items), dtype=np.float32)
        scores[:, self.liked] = self.likes[users] @ self.weights
        return scores
