"""Implicit ALS: matrix factorisation of likes and weighted dislikes (`implicit`; Hu, Koren, Volinsky, ICDM 2008).

A like has preference 1 with confidence alpha, an unrated item preference 0 with confidence 1. A dislike has confidence alpha |w| for its
weight w, and preference 1 where w > 0 and 0 where w < 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from itertools import product
from typing import TYPE_CHECKING, Annotated

import numpy as np
from pydantic import Field

from pipeline.evaluation.baselines.dislikes import WeightedFit, WeightedGrid, weighted_history

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pipeline.data.dataset import Dataset


class ImplicitAls:
    def __init__(self, users: NDArray[np.float32], items: NDArray[np.float32]) -> None:
        self.user_factors = users
        self.item_factors = items

    @classmethod
    def fit(
        cls,
        data: Dataset,
        factors: int,
        regularization: float,
        alpha: float,
        iterations: int,
        seed: int,
        threads: int = 0,
        dislike_weight: float = 0.0,
    ) -> ImplicitAls:
        """
        Args:
            threads: 0: as many as there are processors. The result does not depend on it.
        """
        from implicit.cpu.als import AlternatingLeastSquares
        from threadpoolctl import threadpool_limits

        # implicit runs threads of its own; BLAS threads beside them only get in the way, and it warns of them when made.
        with threadpool_limits(1, "blas"):
            model = AlternatingLeastSquares(
                factors=factors,
                regularization=regularization,
                alpha=alpha,
                iterations=iterations,
                num_threads=threads,
                random_state=seed,
            )
            model.fit(weighted_history(data, dislike_weight).astype(np.float32), show_progress=False)
        return cls(model.user_factors, model.item_factors)

    def score(self, users: NDArray[np.int64]) -> NDArray[np.float32]:
        return np.asarray(self.user_factors[users] @ self.item_factors.T, dtype=np.float32)


class AlsGrid(WeightedGrid):
    factors: list[Annotated[int, Field(ge=1)]] = Field(min_length=1, description="Widths of the factors")
    regularization: list[Annotated[float, Field(ge=0)]] = Field(
        min_length=1, description="Penalty on the squared factors"
    )
    alpha: list[Annotated[float, Field(gt=0)]] = Field(min_length=1, description="Weight of an observed like")
    iterations: int = Field(ge=1, description="Rounds over users and items")

    def fits(self, seed: int, threads: int) -> Mapping[str, WeightedFit]:
        return {
            f"factors {factors}, regularization {regularization:g}, alpha {alpha:g}": partial(
                ImplicitAls.fit,
                factors=factors,
                regularization=regularization,
                alpha=alpha,
                iterations=self.iterations,
                seed=seed,
                threads=threads,
            )
            for factors, regularization, alpha in product(self.factors, self.regularization, self.alpha)
        }
