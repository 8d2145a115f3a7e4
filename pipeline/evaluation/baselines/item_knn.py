"""ItemKNN: items near what the user rated, by the cosine of their likes and weighted dislikes (`implicit`)."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Annotated

import numpy as np
from pydantic import Field

from pipeline.evaluation.baselines.dislikes import WeightedFit, WeightedGrid, weighted_history

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from scipy.sparse import csr_matrix

    from pipeline.data.dataset import Dataset


class ItemKnn:
    def __init__(self, similarity: csr_matrix, history: csr_matrix) -> None:
        """
        Args:
            similarity: each item's row lists its own neighbours, (items, items).
            history: X, (users, items).
        """
        self.similarity = similarity
        self.history = history
        # By rated item: a product with a transposed view would turn all of it round for every block of users.
        self._of_rated = similarity.T.tocsr()

    @classmethod
    def fit(cls, data: Dataset, neighbours: int, dislike_weight: float = 0.0) -> ItemKnn:
        """
        Args:
            neighbours: similar items kept per item, the item itself not counted.
        """
        from implicit.nearest_neighbours import ItemItemRecommender, normalize

        # implicit counts the item as its own nearest neighbour.
        model = ItemItemRecommender(K=neighbours + 1)
        # As its CosineRecommender does, which then warns that what it has made is not CSR.
        history = weighted_history(data, dislike_weight)
        model.fit(normalize(history.T).T.tocsr(), show_progress=False)
        return cls(model.similarity, history)

    def score(self, users: NDArray[np.int64]) -> NDArray[np.float32]:
        # A candidate is scored by those of its own neighbours that the user rated.
        return np.asarray((self.history[users] @ self._of_rated).toarray(), dtype=np.float32)


class ItemKnnGrid(WeightedGrid):
    neighbours: list[Annotated[int, Field(ge=1)]] = Field(
        min_length=1, description="How many similar items count for an item"
    )

    def fits(self, seed: int, threads: int) -> Mapping[str, WeightedFit]:
        return {f"neighbours {k}": partial(ItemKnn.fit, neighbours=k) for k in self.neighbours}
