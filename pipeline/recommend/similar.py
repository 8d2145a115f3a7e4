"""Items that are like an item, by what is written about them, by their place in the graph, or by both."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Similar:
    """Items by falling likeness.

    Attributes:
        items: indices, (n,).
        cosine: mean of the cosines below, (n,).
        cosines: of each kind of vectors, (n,).
    """

    items: NDArray[np.int64]
    cosine: NDArray[np.float64]
    cosines: dict[str, NDArray[np.float64]]


def most_similar(vectors: Mapping[str, NDArray[np.float32]], item: int, count: int) -> Similar:
    """The items whose vectors point most nearly where the item's do; of equals the one with the smaller index first.

    Vectors are centred first: [CLS] vectors of any two items point in much the same direction. An item without a vector of
    some kind (a row of zeros: no text) is like none.

    Args:
        vectors: kinds to vectors of all items, (M, width), at least one.
        item: index of an item with a vector of every kind.
        count: at most this many.
    """
    known = np.ones(len(next(iter(vectors.values()))), dtype=bool)
    cosines = {}
    for kind, rows in vectors.items():
        present: NDArray[np.bool_] = np.any(rows != 0, axis=1)
        known &= present
        centred = rows.astype(np.float64) - rows[present].mean(axis=0, dtype=np.float64)
        lengths = np.maximum(np.linalg.norm(centred, axis=1), 1e-12)
        cosines[kind] = centred @ centred[item] / (lengths * lengths[item])
    mean = np.mean(list(cosines.values()), axis=0)
    known[item] = False
    others = np.flatnonzero(known)
    chosen = others[np.argsort(-mean[others], kind="stable")[:count]]
    return Similar(chosen, mean[chosen], {kind: values[chosen] for kind, values in cosines.items()})
