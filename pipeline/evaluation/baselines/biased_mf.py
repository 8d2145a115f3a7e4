"""Biased matrix factorisation of ratings, likes and dislikes alike (Koren, Bell, Volinsky, IEEE Computer 42(8), 2009)."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from itertools import product
from typing import TYPE_CHECKING, Annotated

import numpy as np
from pydantic import Field

from pipeline.common.random_streams import stream
from pipeline.data.dataset import blocks
from pipeline.evaluation.baselines.grid import Fit, Grid

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from scipy.sparse import csr_matrix

    from pipeline.data.dataset import Dataset

# Rows whose ridge regressions are held and solved at once, however many users there are.
BLOCK_ROWS = 4096
# Spread of the factors at the start: small beside the ratings, so that the biases explain first what they can.
START = 0.1


class BiasedMf:
    """A rating is mean + bias of user + bias of item + factors of user · factors of item.

    Minimises the squared error over the rated pairs + regularization * all squared factors and biases. It says how much a
    user would like what the user rates, not what the user would come to rate: a system for `impression`.
    """

    def __init__(
        self,
        mean: float,
        user_factors: NDArray[np.float64],
        user_bias: NDArray[np.float64],
        item_factors: NDArray[np.float64],
        item_bias: NDArray[np.float64],
    ) -> None:
        self.mean = mean
        self.user_factors, self.user_bias = user_factors, user_bias
        self.item_factors, self.item_bias = item_factors, item_bias

    @classmethod
    def fit(cls, data: Dataset, factors: int, regularization: float, iterations: int, seed: int) -> BiasedMf:
        """Alternating least squares: all users given the items, then all items given the users, each exactly.

        Args:
            regularization: above 0; not multiplied by a user's or an item's number of ratings.
            iterations: rounds over users and items.
        """
        from scipy.sparse import csr_matrix

        pairs, ratings = data.train_ratings
        mean, shape = float(ratings.mean()), (data.users, data.items)
        rated = data.matrix(pairs).astype(np.float64)
        centred = csr_matrix((ratings - mean, (pairs.users, pairs.items)), shape=shape)
        rated_by, centred_by = rated.T.tocsr(), centred.T.tocsr()
        item_factors = stream(seed, "biased-mf").normal(scale=START, size=(data.items, factors))
        item_bias = np.zeros(data.items)
        for _ in range(iterations):
            user_factors, user_bias = _ridge(rated, centred, item_factors, item_bias, regularization)
            item_factors, item_bias = _ridge(rated_by, centred_by, user_factors, user_bias, regularization)
        return cls(mean, user_factors, user_bias, item_factors, item_bias)

    def score(self, users: NDArray[np.int64]) -> NDArray[np.float32]:
        scores = (
            self.user_factors[users] @ self.item_factors.T + self.item_bias + self.user_bias[users, None] + self.mean
        )
        return np.asarray(scores, dtype=np.float32)


def _ridge(
    rated: csr_matrix,
    centred: csr_matrix,
    factors: NDArray[np.float64],
    bias: NDArray[np.float64],
    regularization: float,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Factors and bias of every row at the minimum for the given ones of the columns: (rows, factors) and (rows,).

    Args:
        rated: rows x columns, 1 where there is a rating.
        centred: rows x columns, the ratings less their mean.
        factors: (columns, factors); bias: (columns,).
    """
    features = np.c_[factors, np.ones(len(factors))]
    width = features.shape[1]
    # One sparse product sums the outer products of the rated columns for every row; half of each is enough.
    one, other = np.triu_indices(width)
    outer = features[:, one] * features[:, other]
    right = centred @ features - rated @ (bias[:, None] * features)
    solved = np.empty((rated.shape[0], width))
    for rows in blocks(rated.shape[0], BLOCK_ROWS):
        left = np.empty((len(rows), width, width))
        left[:, one, other] = left[:, other, one] = rated[rows] @ outer
        left[:, range(width), range(width)] += regularization
        solved[rows] = np.linalg.solve(left, right[rows, :, None])[:, :, 0]
    return solved[:, :-1], solved[:, -1]


class BiasedMfGrid(Grid):
    learns_from_dislikes = True

    factors: list[Annotated[int, Field(ge=1)]] = Field(min_length=1, description="Widths of the rating factors")
    regularization: list[Annotated[float, Field(gt=0)]] = Field(
        min_length=1, description="Penalty on the squared factors and biases"
    )
    iterations: int = Field(ge=1, description="Rounds over users and items")

    def settings(self, seed: int, threads: int) -> Mapping[str, Fit]:
        return {
            f"factors {factors}, regularization {regularization:g}": partial(
                BiasedMf.fit,
                factors=factors,
                regularization=regularization,
                iterations=self.iterations,
                seed=seed,
            )
            for factors, regularization in product(self.factors, self.regularization)
        }
