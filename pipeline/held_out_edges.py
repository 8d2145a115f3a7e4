"""Edges of a graph kept back from training, and as many pairs without an edge to tell them from.

The split and the draws are those of PyTorch Geometric's `RandomLinkSplit` and `negative_sampling` after `seed_everything`, of which
loading costs more than a whole training on a small graph.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Rounds of drawing, and how many more are drawn than are needed.
ROUNDS, SPARE = 3, 1.1


class HeldOut(NamedTuple):
    """
    Attributes:
        trained: the other edges, both directions of each, (2, 2 * others).
        edges: what is held out, from the smaller item to the larger, (2, held out).
        others: ordered pairs of two items without an edge, (2, as many or fewer).
    """

    trained: NDArray[np.int64]
    edges: NDArray[np.int64]
    others: NDArray[np.int64]


def hold_out(edge_index: NDArray[np.int64], items: int, count: int, seed: int) -> HeldOut:
    """Draw ``count`` edges to hold out. Leaves PyTorch's own generator where drawing leaves it.

    Args:
        edge_index: both directions of each edge, (2, 2 * edges).
        count: below the number of edges.
    """
    import torch

    torch.manual_seed(seed)
    once = np.flatnonzero(edge_index[0] <= edge_index[1])
    once = once[torch.randperm(len(once)).numpy()]
    trained, held_out = edge_index[:, once[:-count]], edge_index[:, once[-count:]]
    return HeldOut(
        np.concatenate([trained, trained[::-1]], axis=1),
        held_out,
        other_pairs(edge_index, items, count, random.Random(seed)),
    )


def other_pairs(edge_index: NDArray[np.int64], items: int, count: int, draws: random.Random) -> NDArray[np.int64]:
    """``count`` ordered pairs of two items without an edge, (2, count); fewer where there are hardly any.

    Args:
        edge_index: both directions of each edge, without loops, each once.
    """
    # The pairs as numbers, row by row, without the diagonal.
    rows, columns = edge_index
    taken = rows * (items - 1) + columns - (columns > rows)
    population = items * (items - 1)
    found = np.empty(0, dtype=np.int64)
    if len(taken) < population:
        size = int(SPARE * count / (1.0 - len(taken) / population))
        for _ in range(ROUNDS):
            drawn = (
                np.arange(population) if population <= size else np.array(draws.sample(range(population), size))
            ).astype(np.int64)
            found = np.r_[found, drawn[~np.isin(drawn, np.r_[taken, found])]]
            if len(found) >= count:
                break
    rows, columns = np.divmod(found[:count], items - 1)
    return np.stack([rows, columns + (columns >= rows)])
