"""A random graph with the degrees of another: what of a result is the graph's content, and what its degrees alone?"""

from __future__ import annotations

import numpy as np
import polars as pl

REWIRING_ROUNDS = 10


def rewired(edges: pl.DataFrame, random: np.random.Generator) -> pl.DataFrame:
    """A random graph in which every item has as many edges as before: what is left of the graph without its content.

    Each of ten rounds pairs up all edges at random and swaps ends, a-b and c-d to a-d and c-b, wherever that makes neither a
    loop nor an edge that is already there (Maslov, Sneppen, Science 2002).

    Args:
        edges: source, target, overlap; source < target. The overlap stays with the first end: it no longer means anything.
    """
    pairs = edges.select("source", "target").to_numpy().astype(np.int64)
    count = int(pairs.max()) + 1
    for _ in range(REWIRING_ROUNDS):
        order = random.permutation(len(pairs))
        half = len(pairs) // 2
        first, second = order[:half], order[half : 2 * half]
        # Which end of the second edge is swapped is drawn as well.
        turned = random.random(half) < 0.5
        a, b = pairs[first].T
        c, d = np.where(turned, pairs[second].T[::-1], pairs[second].T)
        swapped = np.stack([np.stack([a, d]), np.stack([c, b])])
        keys = np.minimum(*swapped.transpose(1, 0, 2)) * count + np.maximum(*swapped.transpose(1, 0, 2))
        taken = np.sort(pairs.min(axis=1) * count + pairs.max(axis=1))
        found = np.searchsorted(taken, keys)
        free = taken[np.minimum(found, len(taken) - 1)] != keys
        flat = keys.ravel()
        _, first_place, repeats = np.unique(flat, return_index=True, return_counts=True)
        alone = np.zeros(len(flat), dtype=bool)
        alone[first_place[repeats == 1]] = True
        loops = (swapped[:, 0] == swapped[:, 1]).any(axis=0)
        good = free.all(axis=0) & alone.reshape(keys.shape).all(axis=0) & ~loops
        pairs[first[good]] = swapped[0].T[good]
        pairs[second[good]] = swapped[1].T[good]
    ends = np.sort(pairs, axis=1).astype(np.int32)
    return pl.DataFrame({"source": ends[:, 0], "target": ends[:, 1], "overlap": edges["overlap"]}).sort(
        "source", "target"
    )
