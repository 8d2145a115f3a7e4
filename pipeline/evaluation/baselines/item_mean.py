"""Item mean: every user gets the items with the best mean rating."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

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
