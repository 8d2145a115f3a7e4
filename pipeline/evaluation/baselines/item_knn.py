"""ItemKNN: items near what the user liked, by the cosine of their likes (`implicit`)."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Annotated

import numpy as np
from pydantic import Field

from pipeline.evaluation.baselines.grid import Fit, Grid

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from scipy.sparse import csr_matrix

    from pipeline.data.dataset import Dataset


class ItemKnn:
    def __init__(self, similarity: csr_matrix, likes: csr_matrix) -> None:
        self.similarity = similarity
        self.likes = likes
        # By liked item: a product with a transposed view would turn all of it round for every block of users.
        self._of_liked = similarity.T.tocsr()

    @classmethod
    def fit(cls, data: Dataset, neighbours: int) -> ItemKnn:
        """
        Args:
            neighbours: similar items kept per item, the item itself not counted.
        """
        from implicit.nearest_neighbours import ItemItemRecommender, normalize

        # implicit counts the item as its own nearest neighbour.
        model = ItemItemRecommender(K=neighbours + 1)
        # As its CosineRecommender does, which then warns that what it has made is not CSR.
        model.fit(normalize(data.train_likes.T).T.tocsr(), show_progress=False)
        return cls(model.similarity, data.train_likes)

    def score(self, users: NDArray[np.int64]) -> NDArray[np.float32]:
        # The similarity row of an item lists its own neighbours; a candidate is scored by those of them that the user liked.
        return np.asarray((self.likes[users] @ self._of_liked).toarray(), dtype=np.float32)


class ItemKnnGrid(Grid):
    neighbours: list[Annotated[int, Field(ge=1)]] = Field(
        min_length=1, description="Similar items that count for an item"
    )

    def settings(self, seed: int, threads: int) -> Mapping[str, Fit]:
        return {f"neighbours {k}": partial(ItemKnn.fit, neighbours=k) for k in self.neighbours}
