"""A list out of candidates: not too many of one kind, and unlike one another.

    next = argmax over candidates c of (1 - diversity) · relevance(c) - diversity · max over items s of the list of cos(r_c, r_s)

is maximal marginal relevance (Carbonell, Goldstein, SIGIR 1998), over the item vectors R. Relevance is the score, from 0 at the last
candidate to 1 at the first: scores of models have scales of their own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class AtMost:
    """How many items of a list may have the same element of a column. An item without any element is never too many.

    Attributes:
        count: at most so many.
        starts: where each item's elements begin in `elements`, (M + 1,).
        elements: numbers, each of an item once.
    """

    count: int
    starts: NDArray[np.int64]
    elements: NDArray[np.int64]

    @classmethod
    def of(cls, count: int, elements: pl.Series) -> AtMost:
        """
        Args:
            elements: a list for each item, (M,).
        """
        of_item = pl.DataFrame({"item": np.arange(len(elements)), "element": elements}).explode("element").drop_nulls()
        numbered = of_item.unique(maintain_order=True).with_columns(pl.col("element").rank("dense"))
        counts = np.bincount(numbered["item"].to_numpy(), minlength=len(elements))
        return cls(count, np.r_[0, np.cumsum(counts)], numbered["element"].to_numpy().astype(np.int64))

    def of_item(self, item: int) -> list[int]:
        found: list[int] = self.elements[self.starts[item] : self.starts[item + 1]].tolist()
        return found


@dataclass(frozen=True)
class Diversity:
    """
    Attributes:
        share: how much it counts beside the score, from 0 to 1.
        vectors: of the items, (M, width); one of zeros is like none.
    """

    share: float
    vectors: NDArray[np.floating[Any]]

    def units(self, items: Sequence[int] | NDArray[np.integer[Any]]) -> NDArray[np.floating[Any]]:
        """Vectors of some items at length one, whose inner products are cosines, (items, width)."""
        mine = self.vectors[items]
        lengths = np.linalg.norm(mine, axis=1, keepdims=True)
        units: NDArray[np.floating[Any]] = np.divide(mine, lengths, out=np.zeros_like(mine), where=lengths > 0)
        return units


def reranked(
    candidates: NDArray[np.int32],
    scores: NDArray[np.floating[Any]],
    top: int,
    at_most: AtMost | None,
    diversity: Diversity | None,
) -> list[int]:
    """Items of a list, in its order; of items that are as good the first candidate.

    Args:
        candidates: items by falling score, (candidates,).
        scores: of these.
        top: items of the list, fewer where no more are left.
    """
    if not len(candidates):
        return []
    span = float(scores[0]) - float(scores[-1])
    value = (scores.astype(np.float64) - float(scores[-1])) / (span or 1.0)
    nearest = np.zeros(len(candidates))
    if diversity is not None:
        value *= 1 - diversity.share
        units = diversity.units(candidates)
    listed: list[int] = []
    there: Counter[int] = Counter()
    while len(listed) < top:
        place = int(np.argmax(value - nearest))
        if value[place] == -np.inf:
            break
        value[place] = -np.inf
        item = int(candidates[place])
        elements = at_most.of_item(item) if at_most is not None else []
        if at_most is not None and any(there[element] >= at_most.count for element in elements):
            continue
        there.update(elements)
        if diversity is not None:
            # Not by BLAS, whose digits depend on the number of threads.
            near = diversity.share * np.einsum("cw,w->c", units, units[place]).astype(np.float64)
            nearest = near if not listed else np.maximum(nearest, near)
        listed.append(item)
    return listed
