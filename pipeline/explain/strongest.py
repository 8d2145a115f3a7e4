"""Contributions for many users in bounded room: for each of their items the strongest ones, and the others added up.

No more than a chunk's contributions are there at once; see `Explainer.by_view`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from pipeline.common.top_columns import best_columns
from pipeline.explain.causes import MainCauses, main_causes, stacked
from pipeline.explain.contributions import CHUNK_NUMBERS, KINDS, NO_ITEM, Explainer
from pipeline.users.coordinates import Weighed

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Sides of the views: places of the kind of a named contribution in `KINDS`.
SIDES = {"likes": (0,), "dislikes": (1,), "rated": (0, 1)}


class StrongestContributions(NamedTuple):
    """In columns: the strongest likes, then as many dislikes, the other likes, the other dislikes, the biases.

    Attributes:
        kinds: of each column its place in `KINDS`, (columns,).
        items: whose contribution it is, `NO_ITEM` where it is of several or of none, (users, candidates, columns).
        values: zero where there is nothing to say, (users, candidates, columns).
        causes: what most of a contribution of an item comes from, (users, candidates, columns).
    """

    kinds: NDArray[np.int8]
    items: NDArray[np.int32]
    values: NDArray[np.float32]
    causes: MainCauses


def strongest_contributions(
    explainer: Explainer, weighed: Weighed, candidates: NDArray[np.int32], named: int
) -> StrongestContributions:
    """
    Args:
        weighed: histories of some users.
        candidates: items of each user whose scores are taken apart, `NO_ITEM` in the places that are empty, (users, candidates).
        named: the strongest likes, and as many dislikes, that are named; the contributions of the others are added up.
    """
    longest = max(int(history.lengths.max(initial=0)) for history in (weighed.likes, weighed.dislikes))
    named = min(named, longest)
    kinds = np.repeat(np.arange(len(KINDS), dtype=np.int8), [named, named, 1, 1, 1])
    items = np.full((*candidates.shape, len(kinds)), NO_ITEM, dtype=np.int32)
    values = np.zeros(items.shape, dtype=np.float32)
    nothing = np.full(items.shape, NO_ITEM, dtype=np.int32)
    causes = MainCauses(nothing.astype(np.int8), nothing.copy(), nothing.copy())
    values[:, :, -1] = explainer.bias.cpu().numpy()[candidates]
    asked = explainer.asked(candidates)
    for name in weighed.by_view:
        overlap = explainer.overlap(name)
        for chunk, found in explainer.by_view(weighed, name, asked, CHUNK_NUMBERS):
            users, whose = chunk.users.cpu().numpy(), chunk.items.cpu().numpy()
            parts = {part: told.cpu().numpy() for part, told in found.items()}
            told = sum(parts.values(), np.zeros((), dtype=np.float32))
            for side in SIDES[name]:
                mine = told
                if name == "rated":
                    # Likes come first in what is merged.
                    liked = np.arange(whose.shape[1]) < weighed.likes.lengths[users][:, None]
                    mine = told * (liked if side == 0 else ~liked)[:, None]
                place = slice(side * named, (side + 1) * named)
                columns, strong, others = strongest(mine, named)
                values[users, :, place], values[users, :, 2 * named + side] = strong, others
                person, row, rank = (columns != NO_ITEM).nonzero()
                column = columns[person, row, rank]
                cell = users[person], row, side * named + rank
                items[cell] = whose[person, column]
                if len(parts) > 1:
                    causing = stacked({part: one[person, row, column] for part, one in parts.items()})
                    asking = candidates[users[person], row].astype(np.int64)
                    main = main_causes(causing, whose[person, column], asking, overlap, explainer.shares)
                    causes.part[cell], causes.relation[cell], causes.entity[cell] = main
    values[candidates == NO_ITEM] = 0.0
    return StrongestContributions(kinds, items, values, causes)


def strongest(
    contributions: NDArray[np.floating[Any]], named: int
) -> tuple[NDArray[np.int32], NDArray[np.floating[Any]], NDArray[np.float64]]:
    """Places and values of the strongest contributions, (chunk, candidates, named), and the sum of the others, (chunk, candidates).

    Args:
        contributions: (chunk, candidates, length), zero at padding.
    """
    users, candidates, length = contributions.shape
    rows = contributions.reshape(users * candidates, length)
    columns = best_columns(np.abs(rows), named, above=0.0)
    there = columns != NO_ITEM
    row, place = there.nonzero()
    column = columns[row, place]
    values = np.zeros(columns.shape, dtype=rows.dtype)
    values[row, place] = rows[row, column]
    others = rows.copy()
    others[row, column] = 0.0
    shape = (users, candidates, named)
    return columns.reshape(shape), values.reshape(shape), others.sum(axis=1, dtype=np.float64).reshape(shape[:2])
