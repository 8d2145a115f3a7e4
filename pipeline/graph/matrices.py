"""The tables of the item graph as matrices, in the forms that models read."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from scipy.sparse import csr_matrix, diags

if TYPE_CHECKING:
    from numpy.typing import NDArray


def adjacency(edges: pl.DataFrame, items: int) -> csr_matrix:
    """The symmetric 0/1 adjacency matrix, (items, items)."""
    source, target = edges["source"].to_numpy(), edges["target"].to_numpy()
    ones = np.ones(2 * len(source), dtype=np.float32)
    return csr_matrix((ones, (np.r_[source, target], np.r_[target, source])), shape=(items, items))


def edge_index(edges: pl.DataFrame) -> NDArray[np.int64]:
    """Both directions of every edge, (2, 2 * edges): PyTorch Geometric's form of an undirected graph."""
    source, target = edges["source"].to_numpy().astype(np.int64), edges["target"].to_numpy().astype(np.int64)
    return np.stack([np.r_[source, target], np.r_[target, source]])


def incidence_of(neighbours: pl.DataFrame, items: int) -> csr_matrix:
    """Items x entities, 1 where the entity is in N_i, out of the table of neighbours."""
    rows, columns = neighbours["item"].to_numpy(), neighbours["entity"].to_numpy()
    return csr_matrix(
        (np.ones(len(rows), dtype=np.float32), (rows, columns)), shape=(items, int(columns.max(initial=-1)) + 1)
    )


def by_rarity(incidence: csr_matrix) -> tuple[csr_matrix, NDArray[np.int64]]:
    """F_ie = idf_e / |idf_i|, e over what is around item i and another item; idf_e = log(M / items around e).

    F_i · F_j is the overlap of two items, the cosine of their surroundings. What only one item has is shared with none, and what all have
    tells none apart: both are left out.

    Args:
        incidence: (M, columns), 1 where an item has the column.

    Returns:
        F, (M, columns that are left), float32, rows of length 1 or empty; and which these columns are, ascending.
    """
    items = incidence.shape[0]
    spread = incidence.getnnz(axis=0)
    shared = np.flatnonzero((spread >= 2) & (spread < items))
    weighted = incidence.astype(np.float64)[:, shared] @ diags(np.log(items / spread[shared]))
    lengths = np.sqrt(np.asarray(weighted.multiply(weighted).sum(axis=1)).ravel())
    return (diags(1 / np.where(lengths > 0, lengths, 1.0)) @ weighted).tocsr().astype(np.float32), shared
