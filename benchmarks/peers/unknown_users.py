"""What a peer says to users of whom it has no like in training: they stay in a given split, and the published models know none."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from scipy.sparse import csr_matrix

    from pipeline.evaluation.protocols.scores import Scorer


class PopularityForUnknown:
    """The scores of a model for users with a like in training, and the training likes of each item for all others."""

    def __init__(self, scorer: Scorer, train_likes: csr_matrix) -> None:
        """
        Args:
            scorer: of scores that are the same for all protocols.
            train_likes: users x items.
        """
        self._scorer = scorer
        self.known = train_likes.getnnz(axis=1) > 0
        self._popularity = train_likes.getnnz(axis=0).astype(np.float32)

    def score(self, users: NDArray[np.int64]) -> NDArray[np.float32]:
        scores = np.tile(self._popularity, (len(users), 1))
        known = self.known[users]
        if known.any():
            scores[known] = self._scorer.score(users[known])
        return scores
