"""How unlike one another the items of a list are, by vectors of the items: by their texts, or by their neighbours in the graph."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from pipeline.data.dataset import blocks
from pipeline.evaluation.systems.several import Systems

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from scipy.sparse import csr_matrix

BLOCK_USERS = 1000


def with_diversity(systems: Systems, vectors: Mapping[str, NDArray[np.float32] | csr_matrix], items: int) -> Systems:
    """The systems with a further fact for each and each kind of vectors: the mean over users of their list's `diversity`.

    Args:
        vectors: by the figure's name, each (items, width).
    """
    facts = {
        system: known
        | {
            f"ranking {name}": found
            for name, of_items in vectors.items()
            if np.isfinite(found := _mean_diversity(systems.lists[system], of_items, items))
        }
        for system, known in systems.facts.items()
    }
    return replace(systems, facts=facts)


def _mean_diversity(lists: pl.DataFrame, vectors: NDArray[np.float32] | csr_matrix, items: int) -> float:
    from scipy.sparse import csr_matrix

    users, user = np.unique(lists["user"].to_numpy(), return_inverse=True)
    shape = (len(users), items)
    listed = csr_matrix((np.ones(len(user), dtype=np.float32), (user, lists["item"].to_numpy())), shape=shape)
    values = np.concatenate([diversity(listed[some], vectors) for some in blocks(len(users), BLOCK_USERS)])
    known = np.isfinite(values)
    return float(values[known].mean()) if known.any() else float("nan")


def diversity(listed: csr_matrix, vectors: Any) -> NDArray[np.float64]:
    """1 - mean cosine of two items of a list, (users,) (Ziegler et al., WWW 2005; Castells, Vargas, Wang, DDR 2011).

    Items whose vector is zero, of which nothing is known, are left out; NaN where a list has fewer than two others. The sum over pairs is
    (|sum of unit vectors|^2 - items) / 2, so that no pair is looked at by itself.

    Args:
        listed: users x items, 1 where the item is in the user's list.
        vectors: (items, width), dense or sparse.
    """
    from scipy.sparse import diags, issparse

    sparse = issparse(vectors)
    squares = vectors.multiply(vectors).sum(axis=1).A1 if sparse else np.einsum("iw,iw->i", vectors, vectors)
    scale = np.divide(1.0, np.sqrt(squares), out=np.zeros(len(squares)), where=squares > 0)
    sums = listed @ (diags(scale) @ vectors if sparse else vectors * scale[:, None])
    lengths = sums.multiply(sums).sum(axis=1).A1 if sparse else np.einsum("uw,uw->u", sums, sums)
    count = listed @ (squares > 0).astype(np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(count > 1, 1 - (lengths - count) / (count * (count - 1)), np.nan)
