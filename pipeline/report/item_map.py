"""Item vectors drawn in the plane: t-SNE from the principal components on (van der Maaten and Hinton, JMLR 2008)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from threadpoolctl import threadpool_limits

if TYPE_CHECKING:
    from numpy.typing import NDArray

# More points than this are a blot, and a heavy page; the most rated ones are drawn.
DRAWN_AT_MOST = 3_000
# Below this t-SNE has no neighbourhoods to keep.
TSNE_FROM = 20
PERPLEXITY, COMPONENTS = 30.0, 50
# Half of what is usual. On MovieLens-100K twice as many lower the divergence by 4%, and keep no more neighbours together.
ROUNDS = 500


def drawn_items(ratings: NDArray[np.int64]) -> NDArray[np.int64]:
    """The most rated items, at most `DRAWN_AT_MOST`, ascending.

    Args:
        ratings: of each item, (M,).
    """
    order = np.lexsort((np.arange(len(ratings)), -ratings))
    return np.sort(order[:DRAWN_AT_MOST])


def project(vectors: NDArray[np.floating[Any]], seed: int) -> NDArray[np.float64]:
    """Places of items in the plane by the directions of their vectors, each axis within -1 and 1; (items, 2).

    The same vectors and seed give the same places: one thread adds up in one order.

    Args:
        vectors: (items, width).
    """
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    directions = np.divide(vectors, lengths, out=np.zeros(vectors.shape), where=lengths > 0)
    with threadpool_limits(1):
        left, spread, _ = np.linalg.svd(directions - directions.mean(axis=0), full_matrices=False)
        reduced = (left * spread)[:, :COMPONENTS]
        places = _by_neighbours(reduced, seed) if len(reduced) >= TSNE_FROM else _first_two(reduced)
    places = places - (places.max(axis=0) + places.min(axis=0)) / 2
    rounded: NDArray[np.float64] = np.round(places / np.maximum(np.abs(places).max(axis=0), 1e-12), 4)
    return rounded + 0.0


def _by_neighbours(reduced: NDArray[np.float64], seed: int) -> NDArray[np.float64]:
    # It takes a second to load, in which the page's library is being made.
    from sklearn.manifold import TSNE

    start = _first_two(reduced)
    spread = start[:, 0].std()
    perplexity = min(PERPLEXITY, (len(reduced) - 1) / 3)
    start = start / (spread or 1.0) * 1e-4
    tsne = TSNE(perplexity=perplexity, init=start, max_iter=ROUNDS, random_state=seed, n_jobs=1)
    return np.asarray(tsne.fit_transform(reduced), dtype=np.float64)


def _first_two(reduced: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.hstack([reduced, np.zeros((len(reduced), 2))])[:, :2]
