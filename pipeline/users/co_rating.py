"""Which items are rated together: EASE's item-to-item weights beside the heads, where all items are ranked.

    preference(u, c) += share · x_u B_c,   B = argmin ||X - X B||^2 + alpha ||F^T - F^T B||^2 + l2 ||B||^2, diag(B) = 0

Views see an item through a vector of some hundred numbers; B has a number of its own for every pair of items (Steck, WWW 2019), and
explains what the graph has around them, F, as well as the ratings X (Jeunen, Van Balen, Goethals, RecSys 2020). The zero diagonal leaves
every item out of its own history. A dislike is an interest too, of half the weight.

B is no part of training: it is fitted to the very ratings that training asks for, and a model that learns beside it learns to lean on it
where it should not. (Weights fitted to other users, in folds or exactly without the one user, were tried: both rank worse than this.)
Its share is found by the validation split.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import torch

from pipeline.evaluation.baselines.item_weights import item_weights, stacked
from pipeline.users.histories import Histories, add_up, read_by

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from scipy.sparse import csr_matrix

# Of each view's ratings in X.
WEIGHTS = {"likes": 1.0, "dislikes": 0.5, "rated": 1.0}
# The penalty is at most so many times the ratings that an item has on average: of few ratings the same penalty leaves nothing.
PENALTY_PER_RATING = 7.0


def fit_co_rating(
    rated: Mapping[str, csr_matrix], l2: float, around: csr_matrix | None = None, graph: float = 0.0
) -> NDArray[np.float32]:
    """B, (M, M).

    Args:
        rated: view to users x items, 1 where the item is in the user's history.
        l2: > 0, the penalty at most.
        around: F, items x features; of no use with graph 0.
        graph: alpha, >= 0.
    """
    weighed = [WEIGHTS[view] * matrix for view, matrix in rated.items()]
    history = sum(weighed[1:], weighed[0]).tocsr()
    ratings = sum(matrix.nnz for matrix in rated.values())
    if ratings:
        l2 = min(l2, PENALTY_PER_RATING * ratings / history.shape[1])
    if graph:
        assert around is not None
        history = stacked(history, around, graph)
    return item_weights(history, l2)


def by_co_rating(weights: torch.Tensor, views: tuple[str, ...], likes: Histories, dislikes: Histories) -> torch.Tensor:
    """X B of some users, (users, M).

    Args:
        weights: B.
        views: which the model has.
    """
    parts = [WEIGHTS[view] * add_up(read_by(view, likes, dislikes), weights) for view in views]
    return torch.stack(parts).sum(dim=0)
