"""The stored item graph as the stages after it take it: apart from how it is made, so that they do not run again with that."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from scipy.sparse import csr_matrix


def adjacency(edges: pl.DataFrame, items: int) -> csr_matrix:
    """The symmetric 0/1 adjacency matrix, (items, items)."""
    from scipy.sparse import csr_matrix

    source, target = edges["source"].to_numpy(), edges["target"].to_numpy()
    ones = np.ones(2 * len(source), dtype=np.float32)
    return csr_matrix((ones, (np.r_[source, target], np.r_[target, source])), shape=(items, items))


def edge_index(edges: pl.DataFrame) -> NDArray[np.int64]:
    """Both directions of every edge, (2, 2 * edges): PyTorch Geometric's form of an undirected graph."""
    source, target = edges["source"].to_numpy().astype(np.int64), edges["target"].to_numpy().astype(np.int64)
    return np.stack([np.r_[source, target], np.r_[target, source]])


def incidence_of(neighbours: pl.DataFrame, items: int) -> csr_matrix:
    """Items x entities, 1 where the entity is in N_i, out of the table of neighbours."""
    from scipy.sparse import csr_matrix

    rows, columns = neighbours["item"].to_numpy(), neighbours["entity"].to_numpy()
    return csr_matrix((np.ones(len(rows), dtype=np.float32), (rows, columns)), shape=(items, int(columns.max()) + 1))
