"""Neighbours by item, samples of them, and blocks of items with the edges that lead into them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Block(NamedTuple):
    """What one layer needs to compute some items: the items that it reads, and edges numbered within the block.

    Attributes:
        sources: items that the layer reads, (sources,): the targets first, then their other neighbours in ascending order.
        targets: how many of them the layer computes.
        edges: place of the neighbour in ``sources``, and of the target, (2, edges); no self loops.
    """

    sources: NDArray[np.int64]
    targets: int
    edges: NDArray[np.int64]


class Neighbours:
    """The neighbours of each of M items.

    Args:
        edge_index: source and target of each edge, both directions of it, (2, edges).
        items: M.
    """

    def __init__(self, edge_index: NDArray[np.int64], items: int) -> None:
        order = np.lexsort(edge_index)
        self.of = edge_index[0][order]
        self.starts = np.r_[0, np.cumsum(np.bincount(edge_index[1], minlength=items))]

    def degrees(self, nodes: NDArray[np.int64]) -> NDArray[np.int64]:
        degrees: NDArray[np.int64] = self.starts[nodes + 1] - self.starts[nodes]
        return degrees

    def joined(self, left: NDArray[np.int64], right: NDArray[np.int64]) -> NDArray[np.bool_]:
        """For each pair whether there is an edge, (pairs,); by binary search in all rows at once."""
        low, high = self.starts[left], self.starts[left + 1]
        end = high
        while (open_ := low < high).any():
            middle = (low + high) // 2
            below = open_ & (self.of[np.minimum(middle, len(self.of) - 1)] < right)
            low, high = np.where(below, middle + 1, low), np.where(open_ & ~below, middle, high)
        found: NDArray[np.bool_] = low < end
        found[found] = self.of[low[found]] == right[found]
        return found

    def sampled(self, nodes: NDArray[np.int64], size: int, random: np.random.Generator) -> Block:
        """The block of ``nodes`` with up to ``size`` neighbours of each, drawn uniformly and without replacement; 0: all.

        Floyd's algorithm ("A sample of brilliance", CACM 1987), of all nodes at once: its t-th draw is one of the first
        degree - size + t + 1 neighbours, or the last of them where that one has been drawn. It costs size^2 comparisons a
        node, whatever the degree.

        Args:
            nodes: each once.
        """
        degrees = self.degrees(nodes)
        many = np.flatnonzero(degrees > size) if size else np.empty(0, dtype=np.int64)
        whole = degrees.copy()
        whole[many] = 0
        place, target = self._all(nodes, whole)
        drawn = np.empty((len(many), size), dtype=np.int64)
        for step in range(size if len(many) else 0):
            last = degrees[many] - size + step
            chosen = random.integers(last + 1)
            taken = (drawn[:, :step] == chosen[:, None]).any(axis=1)
            drawn[:, step] = np.where(taken, last, chosen)
        drawn += self.starts[nodes[many]][:, None]
        return _block(
            nodes, self.of[np.r_[place, drawn.ravel()]], np.r_[target, np.repeat(many, size)], len(self.starts) - 1
        )

    def blocks(self, edges: int) -> Iterator[Block]:
        """All items in order, in blocks of up to about ``edges`` edges and items together, with all their neighbours."""
        # An item counts as well as its edges: it has its self loop.
        weight = self.starts + np.arange(len(self.starts))
        start = 0
        while start < len(self.starts) - 1:
            stop = max(int(np.searchsorted(weight, weight[start] + edges, side="right")) - 1, start + 1)
            nodes = np.arange(start, stop)
            place, target = self._all(nodes, self.degrees(nodes))
            yield _block(nodes, self.of[place], target, len(self.starts) - 1)
            start = stop

    def _all(self, nodes: NDArray[np.int64], lengths: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Places in ``of`` of the first ``lengths`` neighbours of each node, and which of the nodes each is for."""
        target = np.repeat(np.arange(len(nodes)), lengths)
        within = np.arange(len(target)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        return self.starts[nodes][target] + within, target


def _block(nodes: NDArray[np.int64], sources: NDArray[np.int64], targets: NDArray[np.int64], items: int) -> Block:
    """Number the sources of edges within the block, the nodes first.

    Args:
        sources: items, (edges,).
        targets: places in ``nodes``, (edges,).
    """
    others = np.setdiff1d(sources, nodes)
    read = np.r_[nodes, others]
    order = np.argsort(read)
    places = order[np.searchsorted(read, sources, sorter=order)]
    return Block(read, len(nodes), np.stack([places, targets]))
