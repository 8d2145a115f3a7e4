"""EASE^R: the linear item-to-item model with a zero diagonal, in closed form (Steck, WWW 2019).

With X users x items and P = (X^T X + l2 I)^-1, the weights are B_ij = -P_ij / P_jj off the diagonal, and the scores X B. Where there
are fewer users than items, a matrix by users is inverted instead. With M = (X X^T + l2 I)^-1 and S = M X:

    X P = S,   P_jj = (1 - sum_u X_uj S_uj) / l2,   X B = X - S / diag(P)
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from itertools import product
from typing import TYPE_CHECKING, Annotated

import numpy as np
from pydantic import Field

from pipeline.evaluation.baselines.grid import Fit, Grid
from pipeline.evaluation.baselines.item_weights import inverse_of, item_weights

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from scipy.sparse import csr_matrix

    from pipeline.data.dataset import Dataset
    from pipeline.evaluation.protocols.scores import Scorer


def fit_ease(data: Dataset, l2: float, dislike_weight: float = 0.0) -> Scorer:
    """The same scores by weights of items or by users, whichever costs less.

    Args:
        dislike_weight: how much a dislike counts against a like's 1; 0 leaves dislikes out.
    """
    history, rated = signed_history(data, dislike_weight)
    kind = EaseByUsers if history.shape[0] < len(rated) else Ease
    return kind.fit(data, l2, dislike_weight)


def signed_history(data: Dataset, dislike_weight: float) -> tuple[csr_matrix, NDArray[np.int64]]:
    """X over the items with a column that is not zero, users x rated, and those items, ascending."""
    # A sum of sparse matrices stores no zeros: an item with dislikes of no weight counts as unrated.
    history = (data.train_likes.astype(np.float64) - dislike_weight * data.train_dislikes).tocsr()
    rated = np.flatnonzero(history.getnnz(axis=0))
    return history[:, rated], rated


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
        """Arguments as for `fit_ease`."""
        history, rated = signed_history(data, dislike_weight)
        return cls(item_weights(history, l2), rated, history.astype(np.float32), data.items)

    def score(self, users: NDArray[np.int64]) -> NDArray[np.float32]:
        scores = np.zeros((len(users), self.items), dtype=np.float32)
        scores[:, self.rated] = self.history[users] @ self.weights
        return scores


class EaseByUsers:
    """The scores of `Ease` for the users that it is fitted to, without the weights."""

    def __init__(self, scores: NDArray[np.float32]) -> None:
        """
        Args:
            scores: (users, items).
        """
        self.scores = scores

    @classmethod
    def fit(cls, data: Dataset, l2: float, dislike_weight: float = 0.0) -> EaseByUsers:
        """Arguments as for `fit_ease`."""
        history, rated = signed_history(data, dislike_weight)
        inverse = inverse_of(history @ history.toarray().T, l2)
        # The inverse is symmetric: X^T M is the transpose of S.
        solved = (history.T.tocsr() @ inverse).T
        dense = history.toarray()
        diagonal = (1 - np.einsum("ui,ui->i", dense, solved)) / l2
        scores = np.zeros((data.users, data.items), dtype=np.float32)
        scores[:, rated] = dense - solved / diagonal
        return cls(scores)

    def score(self, users: NDArray[np.int64]) -> NDArray[np.float32]:
        return self.scores[users]


class EaseGrid(Grid):
    l2: list[Annotated[float, Field(gt=0)]] = Field(min_length=1, description="Penalty on the squared weights")
    max_items: int = Field(
        ge=1, description="EASE inverts an items x items matrix; beyond this many items with a like it is left out"
    )

    def settings(self, seed: int, threads: int) -> Mapping[str, Fit]:
        return {f"l2 {l2:g}": partial(fit_ease, l2=l2) for l2 in self.l2}

    def left_out(self, data: Dataset) -> str | None:
        return _too_many(data.train_likes.getnnz(axis=0) > 0, "items with a like", self.max_items)


class SignedEaseGrid(Grid):
    """EASE on likes and dislikes."""

    learns_from_dislikes = True

    l2: list[Annotated[float, Field(gt=0)]] = Field(min_length=1, description="Penalty on the squared weights")
    dislike_weight: list[Annotated[float, Field(ge=0)]] = Field(
        min_length=1, description="Weight of a dislike, where a like has 1"
    )
    max_items: int = Field(ge=1, description="As for EASE, counting rated items")

    def settings(self, seed: int, threads: int) -> Mapping[str, Fit]:
        return {
            f"l2 {l2:g}, dislike weight {weight:g}": partial(fit_ease, l2=l2, dislike_weight=weight)
            for l2, weight in product(self.l2, self.dislike_weight)
        }

    def left_out(self, data: Dataset) -> str | None:
        liked, disliked = (matrix.getnnz(axis=0) > 0 for matrix in (data.train_likes, data.train_dislikes))
        return _too_many(liked | disliked, "rated items", self.max_items)


def _too_many(items: NDArray[np.bool_], what: str, most: int) -> str | None:
    count = int(items.sum())
    return f"{count} {what}, more than max_items {most}" if count > most else None
