"""The item graph in another form: items joined by what few others share, in place of the bare number of shared entities."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from pipeline.common.top_columns import best_columns
from pipeline.graph.matrices import by_rarity

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

# Cells of the items x items matrix of cosines held at once.
BLOCK_CELLS = 4_000_000


def nearest_by_rarity(incidence: csr_matrix, edges: int) -> pl.DataFrame:
    """Each item with the items nearest to it by `by_rarity`'s cosine, equal ones by their index; about as many edges as asked for.

    Every item has neighbours that shares anything with another one, where a threshold isolates those with few entities.

    Args:
        incidence: N, (M, entities), 1 where the entity is in N_i.
        edges: of the graph in whose place this one is; each item names edges / M others, rounded up. Two that name each other are
            one edge.

    Returns:
        source, target, overlap; source < target; overlap is the number of entities that both have.
    """
    items = incidence.shape[0]
    weights, _ = by_rarity(incidence)
    columns = weights.T.tocsr()
    named = -(-edges // items)
    step = max(BLOCK_CELLS // items, 1)
    pairs = []
    for first in range(0, items, step):
        cosines = (weights[first : first + step] @ columns).toarray()
        own = np.arange(len(cosines))
        cosines[own, first + own] = 0
        found = best_columns(cosines, min(named, items), above=0)
        row, place = np.nonzero(found >= 0)
        pairs.append(np.stack([first + row, found[row, place]], axis=1))
    ends = np.unique(np.sort(np.concatenate(pairs), axis=1), axis=0)
    shared = incidence[ends[:, 0]].multiply(incidence[ends[:, 1]]).sum(axis=1)
    columns_of = {"source": ends[:, 0], "target": ends[:, 1], "overlap": np.asarray(shared).ravel()}
    return pl.DataFrame({name: values.astype(np.int32) for name, values in columns_of.items()})
