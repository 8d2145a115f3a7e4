"""Reasons of many users at once: for each of their items the strongest parts of its score, and the others added up.

They are those of `reasons`, which takes one user at a time. No more than a chunk's parts are there at once; see `pulls`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from pipeline.common.top_columns import NONE, best_columns

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pipeline.explain.pulls import ViewsOfMany, Weighed

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


def named_parts(views: ViewsOfMany, weighed: Weighed, candidates: NDArray[np.int32], named: int) -> NamedParts:
    """
    Args:
        weighed: histories of some users.
        candidates: items of each user whose scores are taken apart, `NO_ITEM` in the places that are empty, (users, candidates).
        named: the strongest likes, and as many dislikes, that are named; the parts of the others are added up.
    """
    import torch

    longest = max(int(history.lengths.max(initial=0)) for history in (weighed.likes, weighed.dislikes))
    named = min(named, longest)
    kinds = np.repeat(np.arange(len(KINDS), dtype=np.int8), [named, named, 1, 1, 1])
    items = np.full((*candidates.shape, len(kinds)), NO_ITEM, dtype=np.int32)
    parts = np.zeros(items.shape, dtype=np.float32)
    parts[:, :, -1] = views.bias.cpu().numpy()[candidates]
    asked = torch.from_numpy(candidates.clip(min=0).astype(np.int64)).to(views.model.device)
    for name in weighed.by_view:
        for chunk, pulls in views.pulls(weighed, name, asked, CHUNK_NUMBERS):
            users, told, whose = (value.cpu().numpy() for value in (chunk.users, pulls, chunk.items))
            for side in SIDES[name]:
                mine = told
                if name == "rated":
                    # Likes come first in what is merged.
                    liked = np.arange(whose.shape[1]) < weighed.likes.lengths[users][:, None]
                    mine = told * (liked if side == 0 else ~liked)[:, None]
                place = slice(side * named, (side + 1) * named)
                found = strongest(mine, whose, named)
                items[users, :, place], parts[users, :, place], parts[users, :, 2 * named + side] = found
    parts[candidates == NO_ITEM] = 0.0
    return NamedParts(kinds, items, parts)


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
