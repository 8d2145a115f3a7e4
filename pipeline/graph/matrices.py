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


def incidence_around(relations: pl.DataFrame, items: int, entities: int) -> csr_matrix:
    """Items x entities, 1 where the entity is around the item, by the numbers that relations have; higher ones are left out.

    Args:
        relations: item, entity, whatever the relations.
    """
    pairs = relations.select("item", "entity").filter(pl.col("entity") < entities).unique()
    where = pairs["item"].to_numpy(), pairs["entity"].to_numpy()
    return csr_matrix((np.ones(len(pairs), dtype=np.float32), where), shape=(items, entities))


def attending_to(edges: pl.DataFrame, items: int) -> NDArray[np.int64]:
    """Edges from items of the graph to those added, (2, edges), for `edge_index`: who is added looks at those, and they do not look back.

    Args:
        edges: source, of the graph, and target, from 0 of those added.
        items: of the graph.
    """
    source, target = (edges[name].to_numpy().astype(np.int64) for name in ("source", "target"))
    return np.stack([source, target + items])


def adjacency_of_added(edges: pl.DataFrame, items: int, added: int) -> csr_matrix:
    """0/1 rows of those added over the items of the graph, (added, items)."""
    where = edges["target"].to_numpy(), edges["source"].to_numpy()
    return csr_matrix((np.ones(len(edges), dtype=np.float32), where), shape=(added, items))


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
    return scaled_by_rarity(incidence[:, shared], np.log(items / spread[shared])), shared


def scaled_by_rarity(incidence: csr_matrix, idf: NDArray[np.float64]) -> csr_matrix:
    """Rows of 0/1 weighted by how rare the columns are, of length 1 or empty; float32.

    Args:
        incidence: (items, columns).
        idf: (columns,).
    """
    weighted = incidence.astype(np.float64) @ diags(idf)
    lengths = np.sqrt(np.asarray(weighted.multiply(weighted).sum(axis=1)).ravel())
    return (diags(1 / np.where(lengths > 0, lengths, 1.0)) @ weighted).tocsr().astype(np.float32)
