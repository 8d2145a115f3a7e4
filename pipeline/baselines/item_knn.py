"""ItemKNN: items near what the user liked, by the cosine of their likes (`implicit`)."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from scipy.sparse import csr_matrix

    from pipeline.dataset import Dataset


class ItemKnn:
    def __init__(self, similarity: csr_matrix, likes: csr_matrix) -> None:
        self.similarity = similarity
        self.likes = likes

    @classmethod
    def fit(cls, data: Dataset, neighbours: int) -> ItemKnn:
        """
        Args:
            neighbours: similar items kept per item, the item itself not counted.
        """
        from implicit.nearest_neighbours import CosineRecommender
        from implicit.utils import ParameterWarning

        # implicit counts the item as its own nearest neighbour.
        model = CosineRecommender(K=neighbours + 1)
        with warnings.catch_warnings():
            # It makes a COO matrix of the likes for itself and then warns that this is not CSR.
            warnings.simplefilter("ignore", ParameterWarning)
            model.fit(data.train_likes, show_progress=False)
        return cls(model.similarity, data.train_likes)

    def score(self, users: NDArray[np.int64]) -> NDArray[np.float32]:
        # The similarity row of an item lists its own neighbours; a candidate is scored by those of them that the user liked.
        return np.asarray((self.likes[users] @ self.similarity.T).toarray(), dtype=np.float32)
