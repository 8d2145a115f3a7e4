"""Which items are liked together, and disliked together: EASE's item-to-item weights as a further term of each view.

    head(u, c) += v_head,view · sum over the history's items j of B_jc,   B = argmin ||X - X B||^2 + l2 ||B||^2, diag(B) = 0

The views see an item through a vector of some hundred numbers; B has a number of its own for every pair of items (Steck,
WWW 2019). The zero diagonal leaves every item out of its own history. B is not learned with the users: fitted to the very
ratings that training asks for, it would look better there than it is. So each user trains with weights fitted to the users
of the other folds, and is evaluated with those of all (the training split's; test ratings are in neither).

With the graph each B also explains what is around the items, F (Jeunen, Van Balen, Goethals, RecSys 2020), the same in every fold:

    B = argmin ||X - X B||^2 + alpha ||F^T - F^T B||^2 + l2 ||B||^2, diag(B) = 0
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pipeline.common.random_streams import stream
from pipeline.evaluation.baselines.item_weights import item_weights, stacked

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray
    from scipy.sparse import csr_matrix

FOLDS = 5


@dataclass(frozen=True)
class CoRating:
    """
    Attributes:
        whole: view to B of all users, (M, M), zero diagonal.
        fold: fold of each user, (users,).
        without: for each fold, view to B of the users outside of it.
    """

    whole: dict[str, NDArray[np.float32]]
    fold: NDArray[np.int64]
    without: list[dict[str, NDArray[np.float32]]]


def fit_co_rating(
    histories: Mapping[str, csr_matrix], l2: float, seed: int, around: csr_matrix | None = None, graph: float = 0.0
) -> CoRating:
    """
    Args:
        histories: view to users x items, 1 where the item is in the user's history of the training split.
        l2: > 0, the penalty.
        around: F, items x features; of no use with graph 0.
        graph: alpha / l2, >= 0.
    """

    def fitted(users: NDArray[np.bool_]) -> dict[str, NDArray[np.float32]]:
        rows = {view: matrix[users] for view, matrix in histories.items()}
        if graph:
            assert around is not None
            rows = {view: stacked(matrix, around, graph * l2) for view, matrix in rows.items()}
        return {view: item_weights(matrix, l2) for view, matrix in rows.items()}

    users = next(iter(histories.values())).shape[0]
    fold = stream(seed, "co-rating folds").permutation(users) % FOLDS
    return CoRating(fitted(np.ones(users, dtype=bool)), fold, [fitted(fold != number) for number in range(FOLDS)])
