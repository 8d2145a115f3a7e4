"""Systems that learn from likes with a weight for dislikes: X has 1 for a like, and the weight, which may be negative, for a dislike.

A rating is a sign of interest, whatever it says: with a positive weight a dislike counts as a fraction of a like.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Annotated

import numpy as np
from pydantic import Field

from pipeline.data.dataset import Dataset
from pipeline.evaluation.baselines.grid import Fit, Grid
from pipeline.evaluation.protocols.scores import Scorer

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

# By a data set and `dislike_weight`.
WeightedFit = Callable[..., Scorer]


def weighted_history(data: Dataset, dislike_weight: float) -> csr_matrix:
    """X, users x items, of the training split; a dislike of weight 0 is left out."""
    # A sum of sparse matrices stores no zeros.
    return (data.train_likes.astype(np.float64) + dislike_weight * data.train_dislikes).tocsr()


class WeightedGrid(Grid):
    """Other settings are tried with the first weight of a dislike, and the other weights with what is best then."""

    dislike_weight: list[Annotated[float, Field(ge=-1, le=1)]] = Field(
        min_length=1,
        description="Weights of a dislike; a like has 1. The first is tried with all other settings, the others only with the best "
        "of those",
    )

    @abstractmethod
    def fits(self, seed: int, threads: int) -> Mapping[str, WeightedFit]:
        """What is tried beside the weight, by its values in words; arguments as for `settings`."""

    def settings(self, seed: int, threads: int) -> Mapping[str, Fit]:
        first = self.dislike_weight[0]
        return {
            weighted_name(name, first): partial(fit, dislike_weight=first)
            for name, fit in self.fits(seed, threads).items()
        }

    def settings_after(self, best: str, data: Dataset, seed: int, threads: int) -> Mapping[str, Fit]:
        if not data.train_dislikes.nnz:
            return {}
        name, fit = next(
            (name, fit)
            for name, fit in self.fits(seed, threads).items()
            if any(weighted_name(name, weight) == best for weight in self.dislike_weight)
        )
        return {weighted_name(name, weight): partial(fit, dislike_weight=weight) for weight in self.dislike_weight}


def weighted_name(name: str, weight: float) -> str:
    return f"{name}, dislike weight {weight:g}"
