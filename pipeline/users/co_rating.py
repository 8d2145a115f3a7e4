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
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import torch
from scipy.sparse import csr_matrix

from pipeline.common.errors import InputError
from pipeline.users.histories import Histories, add_up, read_by
from pipeline.users.terms.term import as_matrix

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Of each view's ratings in X.
WEIGHTS = {"likes": 1.0, "dislikes": 0.5, "rated": 1.0}
# B of a model: whole; or sparse, of a large catalogue, where each item has weights of its neighbours alone (`fit_co_rating`).
ItemWeights: TypeAlias = torch.Tensor | csr_matrix
# Where a stored model has the entries of a sparse B.
ENTRIES = ("co_rating.row", "co_rating.column", "co_rating.value")


def read_co_rating(
    arrays: Mapping[str, NDArray[np.float32]], items: int, device: torch.device | str = "cpu"
) -> ItemWeights:
    """What `fit_co_rating` gave.

    Args:
        items: M.

    Raises:
        InputError: there are no such weights, or of another number of items.
    """
    whole = arrays.get("co_rating")
    if whole is not None and whole.shape == (items, items):
        return torch.from_numpy(whole).to(device)
    if whole is None and all(name in arrays for name in ENTRIES):
        row, column, value = (arrays[name] for name in ENTRIES)
        if max(row.max(initial=0), column.max(initial=0)) < items:
            return csr_matrix((value, (row.astype(np.int64), column.astype(np.int64))), shape=(items, items))
    found = "no" if whole is None else " x ".join(str(length) for length in whole.shape)
    raise InputError(f"users/model: found {found} item-to-item weights, expected {items} x {items}; run `dvc repro`")


def scores_by(weights: ItemWeights, history: Histories) -> torch.Tensor:
    """Sum over each user's set of the items' weights, (users, M)."""
    if isinstance(weights, torch.Tensor):
        return add_up(history, weights)
    # SciPy: PyTorch's product of two sparse matrices needs a library that not every processor has.
    return torch.from_numpy((as_matrix(history, weights.shape[0]) @ weights).toarray()).to(history.items.device)


def weights_between(weights: ItemWeights, items: torch.Tensor, candidates: torch.Tensor) -> torch.Tensor:
    """B_jc of items j and candidates c, of one shape after broadcasting."""
    if isinstance(weights, torch.Tensor):
        return weights.take(items * len(weights) + candidates)
    items, candidates = torch.broadcast_tensors(items, candidates)  # type: ignore[no-untyped-call]
    # Copies: SciPy makes the places writeable, which memory that belongs to PyTorch refuses.
    rows, columns = (places.reshape(-1).cpu().numpy().copy() for places in (items, candidates))
    if not len(rows):
        return torch.zeros(items.shape, device=items.device)
    found = np.asarray(weights[rows, columns], dtype=np.float32).reshape(items.shape)
    return torch.from_numpy(found).to(items.device)


def by_co_rating(weights: ItemWeights, views: tuple[str, ...], likes: Histories, dislikes: Histories) -> torch.Tensor:
    """X B of some users, (users, M).

    Args:
        weights: B.
        views: which the model has.
    """
    parts = [WEIGHTS[view] * scores_by(weights, read_by(view, likes, dislikes)) for view in views]
    return torch.stack(parts).sum(dim=0)
