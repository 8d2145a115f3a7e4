"""Popularity: every user gets the items with the most likes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from pipeline.evaluation.baselines.grid import Fit, Grid

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pipeline.data.dataset import Dataset


class SameForAll:
    """Scores that do not depend on the user."""

    def __init__(self, scores: NDArray[np.float32]) -> None:
        self.scores = scores

    def score(self, users: NDArray[np.int64]) -> NDArray[np.float32]:
        return np.broadcast_to(self.scores, (len(users), len(self.scores)))


class Popularity(SameForAll):
    @classmethod
    def fit(cls, data: Dataset) -> Popularity:
        return cls(data.train_likes.getnnz(axis=0).astype(np.float32))


class PopularityGrid(Grid):
    """Nothing to try."""

    def settings(self, seed: int, threads: int) -> Mapping[str, Fit]:
        return {"": Popularity.fit}
