"""Item mean: every user gets the items with the best mean rating."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Annotated

import numpy as np
from pydantic import Field

from pipeline.evaluation.baselines.grid import Fit, Grid
from pipeline.evaluation.baselines.popularity import SameForAll

if TYPE_CHECKING:
    from pipeline.data.dataset import Dataset


class ItemMean(SameForAll):
    """Mean training rating (or share of likes where there are no ratings), damped towards the global mean."""

    @classmethod
    def fit(cls, data: Dataset, damping: float) -> ItemMean:
        """
        Args:
            damping: how many ratings of the global mean every item starts with; an unrated item has that mean in any case.
        """
        pairs, ratings = data.train_ratings
        mean = ratings.mean()
        total = np.bincount(pairs.items, weights=ratings - mean, minlength=data.items)
        count = np.bincount(pairs.items, minlength=data.items)
        return cls((mean + total / np.maximum(count + damping, 1e-9)).astype(np.float32))


class ItemMeanGrid(Grid):
    learns_from_dislikes = True

    damping: list[Annotated[float, Field(ge=0)]] = Field(
        min_length=1, description="How many ratings equal to the global mean each item starts with"
    )

    def settings(self, seed: int, threads: int) -> Mapping[str, Fit]:
        return {f"damping {damping:g}": partial(ItemMean.fit, damping=damping) for damping in self.damping}
