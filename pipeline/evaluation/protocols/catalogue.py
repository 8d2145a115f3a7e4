"""Where held-out likes stand in the whole catalogue, among the items of their own part of it, and who stands in the first ten.

Of a small catalogue rows are sorted. A large one is read row by row: a row of scores fits the processor's cache, and everything that is
asked of it is counted there, so that memory is read once whatever is asked; a comparison is a hundred times cheaper than a place in a sort.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.common.cached_njit import cached_njit
from pipeline.common.cores import cores_here
from pipeline.common.side_by_side import local
from pipeline.evaluation.protocols.ranks import sorted_places

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray
    from scipy.sparse import csr_matrix

# Items from which on places are counted: loading the machine code is worth its half second then.
COUNTED_ITEMS = 4096
FIRST = 10


@dataclass(frozen=True)
class Places:
    """What is known of some users' likes, and of the items that are recommended to these users.

    Attributes:
        above: candidates with a higher score, (likes,).
        tied: candidates with the same score, the item itself included.
        part_above: as above, among the items of its part.
        part_tied: likewise.
        missed: probability that an item stands in none of these users' first ten, (items,), tied items taking their places in
            random order.
        recommended: in how many of these users' first ten it is expected to stand, (items,).
        lists: a first ten of each user who has a like, in no order of its own, (users with a like, 10): those that stand there for
            certain; -1 where there are fewer candidates, and where items share the last places.
        sharing: which rows of `lists` these are, and the items that share their free places; there are more of these.
    """

    above: NDArray[np.int64]
    tied: NDArray[np.int64]
    part_above: NDArray[np.int64]
    part_tied: NDArray[np.int64]
    missed: NDArray[np.float64]
    recommended: NDArray[np.float64]
    lists: NDArray[np.int64]
    sharing: list[tuple[int, NDArray[np.int64]]]


class Catalogue:
    """All items, of which users know some.

    Args:
        known: (users, items), what is no candidate.
        parts: each item's part, (items,), from 0 on; None where all are of one part.
    """

    def __init__(self, known: csr_matrix, parts: NDArray[np.int64] | None = None) -> None:
        self._known = known
        self._parts = np.zeros(known.shape[1], dtype=np.int64) if parts is None else parts
        # Items of a part side by side: to count in a part is to count in a piece of the row.
        self._order = np.argsort(self._parts, kind="stable")
        self._place_of = np.argsort(self._order)
        self._bounds = np.r_[0, np.cumsum(np.bincount(self._parts))]

    def places(
        self,
        users: NDArray[np.int64],
        scores: NDArray[np.floating[Any]],
        row: NDArray[np.int64],
        column: NDArray[np.int64],
    ) -> Places:
        """
        Args:
            users: whose places they are, (users,).
            scores: theirs, (users, items), finite.
            row: of each like, ascending; column: its item, a candidate.
        """
        read = self._counted if len(self._parts) >= COUNTED_ITEMS else self._sorted
        return read(self._known[users], scores, row, column)

    @staticmethod
    def _candidates(known: csr_matrix, scores: NDArray[np.floating[Any]]) -> NDArray[np.floating[Any]]:
        """The scores, minus infinity where an item is no candidate."""
        ranking = scores.copy()
        ranking[known.nonzero()] = -np.inf
        return ranking

    def _sorted(
        self, known: csr_matrix, scores: NDArray[np.floating[Any]], row: NDArray[np.int64], column: NDArray[np.int64]
    ) -> Places:
        ranking = self._candidates(known, scores)
        own = ranking[row, column]
        have, place = np.unique(row, return_inverse=True)
        ranking = ranking if len(have) == len(ranking) else ranking[have]
        above, tied = sorted_places(ranking, place, own)
        part_above, part_tied = above.copy(), tied.copy()
        if len(self._bounds) > 2:
            for part in np.unique(self._parts[column]):
                inside = self._parts[column] == part
                items = self._order[self._bounds[part] : self._bounds[part + 1]]
                rows, within = np.unique(place[inside], return_inverse=True)
                part_above[inside], part_tied[inside] = sorted_places(ranking[np.ix_(rows, items)], within, own[inside])
        return Places(above, tied, part_above, part_tied, *first_tens(ranking))

    def _counted(
        self, of_users: csr_matrix, scores: NDArray[np.floating[Any]], row: NDArray[np.int64], column: NDArray[np.int64]
    ) -> Places:
        users, items = scores.shape
        # One layout, one piece of machine code: scores that are the same for all come without rows of their own.
        scores = np.ascontiguousarray(scores)
        starts = np.searchsorted(row, np.arange(users + 1))
        found = np.empty((4, len(row)), dtype=np.int64)
        firsts, shared = np.empty((users, FIRST), dtype=np.int64), np.empty(users, dtype=np.int64)
        last = np.empty(users, dtype=scores.dtype)
        known = of_users.indptr, of_users.indices
        (read, share), threads = _compiled(), cores_here()
        # Equal shares of the likes, which is what a row costs by.
        bounds = np.searchsorted(starts, np.linspace(0, len(row), threads + 1).astype(np.int64))
        bounds[-1] = users

        def of_rows(rows: range) -> None:
            line = np.empty(items, dtype=scores.dtype)
            read(
                slice(rows.start, rows.stop), scores, known, self._order, self._place_of, self._bounds, starts, column,
                self._parts[column], found, firsts, last, shared, line,
            )  # fmt: skip

        list(local(of_rows, [range(*bounds) for bounds in pairwise(bounds.tolist())]))
        missed = np.ones(items)
        certain = firsts[firsts >= 0]
        missed[certain] = 0.0
        recommended = np.bincount(certain, minlength=items).astype(np.float64)
        # One row after another, so that any number of threads multiplies and adds in the same order.
        some = np.flatnonzero(shared)
        chance = (min(FIRST, items) - (firsts[some] >= 0).sum(axis=1)) / shared[some]
        share(some, scores, known, last, chance, np.zeros(items, dtype=np.bool_), missed, recommended)
        have = np.diff(starts) > 0
        place, sharing = np.cumsum(have) - 1, []
        for number in some:
            among = scores[number] == last[number]
            among[known[1][known[0][number] : known[0][number + 1]]] = False
            sharing.append((int(place[number]), np.flatnonzero(among)))
        above, tied, part_above, part_tied = found
        return Places(above, tied, part_above, part_tied, missed, recommended, firsts[have], sharing)


def drawn(places: Places, items: int, random: np.random.Generator) -> NDArray[np.int64]:
    """The `lists` of some users with their free places given to as many of the items that share them, drawn.

    Args:
        items: of the catalogue.
    """
    lists = places.lists.copy()
    for row, tied in places.sharing:
        free = np.flatnonzero(lists[row, : min(FIRST, items)] < 0)
        lists[row, free] = random.choice(tied, len(free), replace=False)
    return lists


def first_tens(
    ranking: NDArray[np.floating[Any]],
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64], list[tuple[int, NDArray[np.int64]]]]:
    """Who stands in the first ten, tied items taking their places in random order.

    Args:
        ranking: (users, items), minus infinity where an item is no candidate.

    Returns:
        `missed`, `recommended`, `lists` and `sharing` of `Places`.
    """
    users, items = ranking.shape
    places = min(FIRST, items)
    last = np.partition(ranking, -places, axis=1)[:, -places]
    # Few cells reach their row's tenth place, and the others change nothing.
    reached = np.flatnonzero(ranking >= np.maximum(last, np.finfo(ranking.dtype).min)[:, None])
    row, item = np.divmod(reached, items)
    tied = ranking[row, item] == last[row]
    free = places - np.bincount(row[~tied], minlength=users)
    shared = np.minimum(free / np.maximum(np.bincount(row[tied], minlength=users), 1), 1.0)
    chance = np.where(tied, shared[row], 1.0)
    missed = np.ones(items)
    np.multiply.at(missed, item, 1 - chance)
    lists = np.full((users, FIRST), -1, dtype=np.int64)
    certain = chance == 1
    place = np.arange(certain.sum()) - np.searchsorted(row[certain], row[certain])
    lists[row[certain], place] = item[certain]
    bounds = np.searchsorted(row, np.arange(users + 1))
    sharing = []
    for number in np.flatnonzero(np.bincount(row[~certain], minlength=users)):
        own = slice(bounds[number], bounds[number + 1])
        if (lists[number, :places] < 0).any():
            sharing.append((int(number), item[own][~certain[own]]))
    return missed, np.bincount(item, weights=chance, minlength=items).astype(np.float64), lists, sharing


@cache
def _compiled() -> tuple[Callable[..., None], Callable[..., None]]:
    compiled = cached_njit(nogil=True)
    return compiled(_read_rows), compiled(_share_places)


def _read_rows(
    rows: slice,
    scores: Any,
    known: tuple[Any, Any],
    order: Any,
    place_of: Any,
    bounds: Any,
    starts: Any,
    column: Any,
    part: Any,
    found: Any,
    firsts: Any,
    last: Any,
    shared: Any,
    line: Any,
) -> None:
    """
    Args:
        rows: those to be read.
        known: where each row's known items begin, and these items.
        order: items, those of a part side by side; place_of: where each item is there; bounds: where each part begins.
        starts: where each row's likes begin in `column` and `part`.
        found: (4, likes), filled in: above and tied in the whole, and in the part.
        firsts: (rows, ten), filled in: items that stand in the first ten for certain, then -1.
        last: (rows,), filled in: the score at the last of these places.
        shared: (rows,), filled in: how many items of that score share the places that are left, 0 where there is one for each.
        line: (items,), to work in.
    """
    items, places = len(order), min(firsts.shape[1], len(order))
    best = np.empty(places, dtype=line.dtype)
    for row in range(rows.start, rows.stop):
        firsts[row], shared[row] = -1, 0
        if starts[row] == starts[row + 1]:
            continue
        cells = scores[row]
        for place in range(items):
            line[place] = cells[order[place]]
        for entry in range(known[0][row], known[0][row + 1]):
            line[place_of[known[1][entry]]] = -np.inf
        for like in range(starts[row], starts[row + 1]):
            value = cells[column[like]]
            above, equal = 0, 0
            for number in range(len(bounds) - 1):
                # 32 bits, as wide as a score: eight comparisons at a time need no conversion.
                more, no_less = np.int32(0), np.int32(0)
                piece = line[bounds[number] : bounds[number + 1]]
                for place in range(len(piece)):
                    more = np.int32(more + np.int32(piece[place] > value))
                    no_less = np.int32(no_less + np.int32(piece[place] >= value))
                above, equal = above + int(more), equal + int(no_less - more)
                if number == part[like]:
                    found[2, like], found[3, like] = more, no_less - more
            found[0, like], found[1, like] = above, equal
        best[:] = -np.inf
        for place in range(items):
            value = line[place]
            if value > best[0]:
                # Hardly ever after the first few hundred.
                lower = 0
                while lower + 1 < places and best[lower + 1] < value:
                    best[lower] = best[lower + 1]
                    lower += 1
                best[lower] = value
        certain, tied = 0, 0
        for place in range(items):
            if line[place] > best[0]:
                firsts[row, certain] = order[place]
                certain += 1
            elif line[place] == best[0] and best[0] > -np.inf:
                tied += 1
        last[row] = best[0]
        if certain + tied > places:
            shared[row] = tied
            continue
        for place in range(items):
            if tied and line[place] == best[0]:
                firsts[row, certain] = order[place]
                certain += 1


def _share_places(
    rows: Any,
    scores: Any,
    known: tuple[Any, Any],
    last: Any,
    chance: Any,
    is_known: Any,
    missed: Any,
    recommended: Any,
) -> None:
    """Multiply in what the items that share places of a row miss, and add what they are recommended.

    Args:
        rows: those with such items.
        last: score of these items, of all rows; chance: to have one of the places, of these rows.
        is_known: (items,), False, to work in.
        missed: (items,), changed; recommended likewise.
    """
    for number in range(len(rows)):
        row = rows[number]
        cells = scores[row]
        for entry in range(known[0][row], known[0][row + 1]):
            is_known[known[1][entry]] = True
        for item in range(len(cells)):
            if cells[item] == last[row] and not is_known[item]:
                missed[item] *= 1 - chance[number]
                recommended[item] += chance[number]
        for entry in range(known[0][row], known[0][row + 1]):
            is_known[known[1][entry]] = False
