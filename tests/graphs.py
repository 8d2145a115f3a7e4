"""Small graphs on which embeddings are tested."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from pipeline.graph.matrices import adjacency, edge_index


def two_communities(
    size: int = 15, isolated: int = 3, inside: float = 0.6, across: float = 0.0, seed: int = 0
) -> pl.DataFrame:
    """Edges of two groups of nodes, dense inside; the last ``isolated`` nodes of `nodes_of` have none."""
    random = np.random.default_rng(seed)
    pairs = [
        (left, right)
        for left in range(2 * size)
        for right in range(left + 1, 2 * size)
        if random.random() < (inside if left // size == right // size else across)
    ]
    return pl.DataFrame({"source": [left for left, _ in pairs], "target": [right for _, right in pairs]})


def matrix(edges: pl.DataFrame, nodes: int) -> csr_matrix:
    return adjacency(edges, nodes)


def directed(edges: pl.DataFrame) -> NDArray[np.int64]:
    return edge_index(edges)
