"""Figures that tell good item vectors from collapsed ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.common.sorted_unique import sorted_unique

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from scipy.sparse import csr_matrix

COLLAPSE_RANK = 2.0


def effective_rank(vectors: NDArray[np.floating[Any]]) -> float:
    """exp(entropy of the normalised singular values): how many directions the vectors really use.

    Roy, Vetterli, "The effective rank", EUSIPCO 2007. A set of equal vectors has 1, an orthogonal one its width.

    Args:
        vectors: (M, width).
    """
    # Squared singular values of the (width, width) Gram matrix: the same numbers as of the (M, width) matrix, cheaper.
    gram = vectors.astype(np.float64).T @ vectors.astype(np.float64)
    singular = np.sqrt(np.clip(np.linalg.eigvalsh(gram), 0, None))
    if singular.sum() == 0:
        return 0.0
    shares = singular / singular.sum()
    shares = shares[shares > 0]
    return float(np.exp(-(shares * np.log(shares)).sum()))


def collapse_warning(vectors: NDArray[np.floating[Any]], what: str) -> list[str]:
    """A warning when the vectors use hardly more than one direction."""
    rank = effective_rank(vectors)
    if rank >= COLLAPSE_RANK:
        return []
    return [
        f"{what}: effective rank {rank:.2f} (below {COLLAPSE_RANK:g}): the vectors have collapsed, every item looks alike"
    ]


def link_auc(edge_scores: NDArray[np.floating[Any]], other_scores: NDArray[np.floating[Any]]) -> float:
    """AUC of scores of edges against scores of pairs that are none; ties count half.

    Args:
        edge_scores, other_scores: at least one of each, none of them NaN.
    """
    others = np.sort(other_scores)
    # Twice the pairs that are in order; whole numbers, so that the order of adding up does not matter.
    won = sum(int(np.searchsorted(others, edge_scores, side=side).sum()) for side in ("left", "right"))
    return won / (2 * len(edge_scores) * len(others))


def sampled_non_edges(
    adjacency: csr_matrix, count: int, random: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Up to ``count`` ordered pairs of different nodes without an edge; fewer (at least one) in a graph that is nearly complete."""
    nodes = adjacency.shape[0]
    sources, targets = random.integers(nodes, size=(2, 4 * count + 64))
    keys = sorted_unique(sources * nodes + targets)
    present = adjacency.tocoo()
    keys = keys[~np.isin(keys, present.row.astype(np.int64) * nodes + present.col)]
    keys = keys[keys // nodes != keys % nodes]
    if not len(keys):
        return np.array([0]), np.array([0])
    keys = np.sort(random.permutation(keys)[:count])
    return keys // nodes, keys % nodes
