"""EASE^R: the linear item-to-item model with a zero diagonal, in closed form (Steck, WWW 2019).

With X users x items and P = (X^T X + l2 I)^-1, the weights are B_ij = -P_ij / P_jj off the diagonal, and the scores X B. Where there
are fewer users than items, a matrix by users is inverted instead. With M = (X X^T + l2 I)^-1 and S = M X:

    X P = S,   P_jj = (1 - sum_u X_uj S_uj) / l2,   X B = X - S / diag(P)
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Annotated

import numpy as np
from pydantic import Field

from pipeline.evaluation.baselines.dislikes import WeightedFit, WeightedGrid, weighted_history
from pipeline.evaluation.baselines.item_weights import inverse_of, item_weights, neighbour_weights

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from scipy.sparse import csr_matrix

    from pipeline.data.dataset import Dataset
    from pipeline.evaluation.protocols.scores import Scorer


def fit_ease(
    data: Dataset, l2: float, dislike_weight: float = 0.0, max_items: int | None = None, neighbours: int = 0
) -> Scorer:
    """The same scores by weights of items or by users, whichever costs less; of very many items by their neighbours.

    Args:
        max_items: beyond this many rated items each has weights of its neighbours alone; None: never.
        neighbours: how many neighbours an item has then.
        dislike_weight: of a dislike in X, where a like has 1; 0 leaves dislikes out.
    """
    history, rated = _rated_history(data, dislike_weight)
    if max_items is not None and len(rated) > max_items:
        return Ease(neighbour_weights(history, l2, neighbours), rated, history.astype(np.float32), data.items)
    kind = EaseByUsers if history.shape[0] < len(rated) else Ease
    return kind.fit(data, l2, dislike_weight)


def _rated_history(data: Dataset, dislike_weight: float) -> tuple[csr_matrix, NDArray[np.int64]]:
    """X over the items with a column that is not zero, users x rated, and those items, ascending."""
    history = weighted_history(data, dislike_weight)
    rated = np.flatnonzero(history.getnnz(axis=0))
    return history[:, rated], rated


class Ease:
    """Scores X_u B of the item weights B."""

    def __init__(
        self, weights: NDArray[np.float32] | csr_matrix, rated: NDArray[np.int64], history: csr_matrix, items: int
    ) -> None:
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
        history, rated = _rated_history(data, dislike_weight)
        return cls(item_weights(history, l2), rated, history.astype(np.float32), data.items)

    def score(self, users: NDArray[np.int64]) -> NDArray[np.float32]:
        scores = np.zeros((len(users), self.items), dtype=np.float32)
        product = self.history[users] @ self.weights
        scores[:, self.rated] = product if isinstance(product, np.ndarray) else product.toarray()
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
        history, rated = _rated_history(data, dislike_weight)
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


class EaseGrid(WeightedGrid):
    l2: list[Annotated[float, Field(gt=0)]] = Field(min_length=1, description="Penalty on the squared weights")
    max_items: int = Field(
        ge=1,
        description="EASE inverts an items x items matrix; beyond this many rated items, each has weights of its neighbours alone",
    )
    neighbours: int = Field(
        ge=1, description="How many neighbours an item has then: those most often rated by the same users"
    )
    max_pairs: int = Field(
        ge=1,
        description="All pairs of items that a user rated are counted then; with more of them, over all users, EASE is left out",
    )

    def fits(self, seed: int, threads: int) -> Mapping[str, WeightedFit]:
        return {
            f"l2 {l2:g}": partial(fit_ease, l2=l2, max_items=self.max_items, neighbours=self.neighbours)
            for l2 in self.l2
        }

    def left_out(self, data: Dataset) -> str | None:
        rated = (data.train_likes + data.train_dislikes).tocsr()
        pairs = int((np.diff(rated.indptr).astype(np.int64) ** 2).sum())
        if (rated.getnnz(axis=0) > 0).sum() <= self.max_items or pairs <= self.max_pairs:
            return None
        return f"{pairs} pairs of items that a user rated, more than max_pairs {self.max_pairs}"
