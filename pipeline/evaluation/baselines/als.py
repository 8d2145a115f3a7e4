"""Implicit ALS: matrix factorisation of likes (`implicit`; Hu, Koren, Volinsky, ICDM 2008)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

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
            model.fit(data.train_likes, show_progress=False)
        return cls(model.user_factors, model.item_factors)

    def score(self, users: NDArray[np.int64]) -> NDArray[np.float32]:
        return np.asarray(self.user_factors[users] @ self.item_factors.T, dtype=np.float32)
