"""Reasons of many users at once: for each of their items the strongest parts of its score, and the others added up.

They are those of `pipeline.reasons`, which takes one user at a time. Users with histories of similar length are padded to one length,
so that the parts of a chunk of users are a few products, and no more than a chunk's parts are there at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from pipeline.best_columns import NONE, best_columns
from pipeline.reasons import co_rating_share, head_shares

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

    from pipeline.histories import Chunk, Histories
    from pipeline.model import TrainedModel

# What a part of a score comes from: an item of the history, all of its other items together, or the item biases.
KINDS = ("like", "dislike", "other likes", "other dislikes", "bias")
NO_ITEM = NONE
# Numbers in each array of a chunk: vectors of its histories, or parts.
CHUNK_NUMBERS = 2_000_000
# Sides of the views: places of the kind of a named part in `KINDS`.
SIDES = {"likes": (0,), "dislikes": (1,), "rated": (0, 1)}


class NamedParts(NamedTuple):
    """Parts in columns: the strongest likes, then as many dislikes, the other likes, the other dislikes, the biases.

    Attributes:
        kinds: of each column its place in `KINDS`, (columns,).
        items: whose part it is, `NO_ITEM` where it is of several or of none, (users, candidates, columns).
        parts: zero where there is nothing to say, (users, candidates, columns).
    """

    kinds: NDArray[np.int8]
    items: NDArray[np.int32]
    parts: NDArray[np.float32]


class PartsOfMany:
    """The model's matrices, put together once for all users.

    Args:
        named: the strongest likes, and as many dislikes, that are named; the parts of the others are added up.
    """

    def __init__(self, model: TrainedModel, named: int) -> None:
        import torch

        from pipeline.pulls import pulling
        from pipeline.user_coordinates import item_bias

        self._model, self._named = model, named
        with torch.inference_mode():
            self._bias = item_bias(model, head_shares(model)).cpu().numpy()
            self._views = {name: pulling(model, name) for name in model.scorer.views}

    def of(self, likes: Histories, dislikes: Histories, candidates: NDArray[np.int32]) -> NamedParts:
        """
        Args:
            likes: of some users; dislikes likewise.
            candidates: items of each user whose scores are taken apart, `NO_ITEM` in the places that are empty, (users, candidates).
        """
        import torch

        from pipeline.histories import merged

        named = min(self._named, int(max(likes.lengths.max(initial=0), dislikes.lengths.max(initial=0))))
        kinds = np.repeat(np.arange(len(KINDS), dtype=np.int8), [named, named, 1, 1, 1])
        items = np.full((*candidates.shape, len(kinds)), NO_ITEM, dtype=np.int32)
        parts = np.zeros(items.shape, dtype=np.float32)
        parts[:, :, -1] = self._bias[candidates]
        asked = torch.from_numpy(candidates.clip(min=0).astype(np.int64)).to(self._model.device)
        across = max(self._model.items.shape[1], candidates.shape[1])
        with torch.inference_mode():
            for name, view in self._views.items():
                history = {"likes": likes, "dislikes": dislikes}[name] if name != "rated" else merged(likes, dislikes)
                shares = view.shares(history)
                for chunk in history.chunks(CHUNK_NUMBERS, across):
                    pulls = view.pulls(chunk, asked[chunk.users], shares)
                    if self._model.co_rating is not None:
                        pulls = pulls + self._together(name, chunk, asked[chunk.users])
                    users, told, whose = (value.cpu().numpy() for value in (chunk.users, pulls, chunk.items))
                    for side in SIDES[name]:
                        mine = told
                        if name == "rated":
                            # Likes come first in what is merged.
                            first = np.arange(whose.shape[1]) < likes.lengths[users][:, None]
                            mine = told * (first if side == 0 else ~first)[:, None]
                        place = slice(side * named, (side + 1) * named)
                        found = strongest(mine, whose, named)
                        items[users, :, place], parts[users, :, place], parts[users, :, 2 * named + side] = found
        parts[candidates == NO_ITEM] = 0.0
        return NamedParts(kinds, items, parts)

    def _together(self, name: str, chunk: Chunk, candidates: torch.Tensor) -> torch.Tensor:
        """What EASE's weights add to each pull, (chunk, candidates, length)."""
        weights = self._model.co_rating[name]  # type: ignore[index]
        pairs = chunk.items.unsqueeze(1) * weights.shape[1] + candidates.unsqueeze(2)
        return weights.take(pairs) * chunk.present.unsqueeze(1) * co_rating_share(self._model, name)


def strongest(
    pulls: NDArray[np.floating[Any]], whose: NDArray[np.int64], named: int
) -> tuple[NDArray[np.int32], NDArray[np.floating[Any]], NDArray[np.float64]]:
    """Items and parts of the strongest pulls, (chunk, candidates, named), and the sum of the others, (chunk, candidates).

    Args:
        pulls: (chunk, candidates, length), zero at padding.
        whose: the items, (chunk, length).
    """
    users, candidates, length = pulls.shape
    rows = pulls.reshape(users * candidates, length)
    columns = best_columns(np.abs(rows), named, above=0.0)
    there = columns != NONE
    row, place = there.nonzero()
    column = columns[row, place]
    items, parts = np.full(columns.shape, NO_ITEM, dtype=np.int32), np.zeros(columns.shape, dtype=rows.dtype)
    items[row, place], parts[row, place] = whose[row // candidates, column], rows[row, column]
    others = rows.copy()
    others[row, column] = 0.0
    shape = (users, candidates, named)
    return items.reshape(shape), parts.reshape(shape), others.sum(axis=1, dtype=np.float64).reshape(shape[:2])
