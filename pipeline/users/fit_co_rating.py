"""Fitting the item-to-item weights that `co_rating` reads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from pipeline.evaluation.baselines.item_weights import item_weights, neighbour_weights, stacked
from pipeline.users.co_rating import ENTRIES, WEIGHTS

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from scipy.sparse import csr_matrix

# The penalty is at most so many times the ratings that an item has on average: of few ratings the same penalty leaves nothing.
PENALTY_PER_RATING = 7.0
# Of a large catalogue, how many neighbours an item has weights of: those most often rated by the same users, or nearest in the graph.
NEIGHBOURS = 100
# Pairs of items that share an entity, each entity for itself: a genre of 30,000 items has 900 million, and says next to nothing of them.
PAIRS_AT_MOST = 100_000_000


def fit_co_rating(
    rated: Mapping[str, csr_matrix],
    l2: float,
    around: csr_matrix | None = None,
    graph: float = 0.0,
    whole: bool = True,
) -> dict[str, NDArray[np.float32]]:
    """B, as a stored model has it: `co_rating`, (M, M), or `ENTRIES`.

    Args:
        rated: view to users x items, 1 where the item is in the user's history.
        l2: > 0, the penalty at most.
        around: F, items x features; of no use with graph 0.
        graph: alpha, >= 0.
        whole: every pair of items has a weight; otherwise an item's neighbours have.
    """
    weighed = [WEIGHTS[view] * matrix for view, matrix in rated.items()]
    history = sum(weighed[1:], weighed[0]).tocsr()
    ratings = sum(matrix.nnz for matrix in rated.values())
    if ratings:
        l2 = min(l2, PENALTY_PER_RATING * ratings / history.shape[1])
    if graph:
        assert around is not None
        history = stacked(history, around if whole else _rarest(around), graph)
    if whole:
        return {"co_rating": item_weights(history, l2)}
    found = neighbour_weights(history, l2, NEIGHBOURS).tocoo()
    # Whole numbers below 2^24 are exact in float32.
    return dict(zip(ENTRIES, (part.astype(np.float32) for part in (found.row, found.col, found.data)), strict=True))


def _rarest(around: csr_matrix) -> csr_matrix:
    """The columns that the fewest items have, as long as they join at most `PAIRS_AT_MOST` pairs of items."""
    items = np.asarray(around.getnnz(axis=0), dtype=np.float64)
    order = np.argsort(items, kind="stable")
    kept = order[np.cumsum(items[order] ** 2) <= PAIRS_AT_MOST]
    return around[:, np.sort(kept)]
