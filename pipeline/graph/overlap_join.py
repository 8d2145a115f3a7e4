"""Which items share more than S_m entities, and how many pairs every other threshold would join, exactly.

Entities are of two kinds, by what costs less:

- **Hubs** ("English", "Drama"), of which nearly every two items share some: each is a bitmap of the items that have it. What an item
  shares with all others is the sum of its hubs' bitmaps, taken for 64 items at once (`pipeline.graph.overlap_walk`). Every pair is
  counted, at a few bits each.
- **The rest** are lists of items, and pairs that meet on one are counted one by one. Nearly all pairs meet on none.

So it is the square of the items that is paid for, at a fraction of a nanosecond for a pair. Filters that skip pairs below one threshold
(AllPairs: Bayardo, Ma, Srikant, WWW 2007; PPJoin: Xiao, Wang, Lin, Yu, WWW 2008) would not give the table of all thresholds, and would
take longer: all but the S_m most common entities of an item have to be lists there, and a pair that is met on one costs some twenty
times as much.

Memory: the edges, a bit for each hub and item, the lists, and for each block of rows that is walked a few arrays of the items' length.
Rows are walked in blocks of about equal cost, each against all items that come after it.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import polars as pl

from pipeline.common.blocks import MapBlocks, Shown
from pipeline.common.side_by_side import local
from pipeline.graph.overlap_walk import CHUNK, LEVELS, TOGETHER, WORDS, compiled_walk, planes_for

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from scipy.sparse import csr_matrix

Array = np.ndarray[Any, Any]

# What it costs to meet an item on a list, in bits of a bitmap that is added. So an entity that one item in 400 has may as well be either.
LIST_COST = 400
# Bits of all bitmaps: 512 MiB.
MOST_BITS = 2**32
# Edges that a thread writes down before it hands them over, at least.
EDGES = 2**16
# What a block of rows costs, in such bits, about a second; and how many blocks there are at least: enough to share out.
BLOCK_COST, FEWEST_BLOCKS = 10**11, 16


def overlap_join(
    incidence: csr_matrix,
    s_m: int,
    *,
    hubs: int | None = None,
    blocks: int | None = None,
    map_blocks: MapBlocks = local,
    shown: Shown | None = None,
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """All pairs with an overlap above ``s_m``, and what every other threshold would give.

    Args:
        incidence: (M, entities) 0/1, each entry stored once.
        hubs: how many entities are hubs; by cost if not given. The result does not depend on it.
        blocks: how many blocks of rows there are, about; by cost if not given. The result does not depend on it.
        map_blocks: who walks them. The result does not depend on it.
        shown: in a bar, if at all.

    Returns:
        edges (source, target, overlap; source < target, in that order), and (s_m, edges, density, isolated_items) from 0 to the
        largest overlap.
    """
    items = incidence.shape[0]
    degrees = np.bincount(incidence.indices, minlength=incidence.shape[1])
    chosen = chosen_hubs(degrees, items, hubs)
    of_hubs, lists = _hubs(incidence, chosen), _lists(incidence, degrees, chosen)
    longest = int(np.diff(incidence.indptr).max(initial=0))
    sharing, most_shared = np.zeros(longest + 1, dtype=np.int64), np.zeros(items, dtype=np.int64)
    kept = []
    for pairs, met, most in map_blocks(
        _walked, _blocks(lists, of_hubs, blocks), lists, of_hubs, longest, s_m, shown=shown
    ):
        kept.append(pl.DataFrame(dict(zip(("source", "target", "overlap"), pairs, strict=True))))
        sharing += met
        np.maximum(most_shared, most, out=most_shared)
    return pl.concat(kept).sort("source", "target"), _threshold_table(sharing, most_shared)


def chosen_hubs(degrees: NDArray[np.int64], items: int, number: int | None) -> NDArray[np.int64]:
    """The entities with the most items, fewest first: ``number``, or those that cost less as a bitmap than as a list."""
    order = np.argsort(degrees, kind="stable")
    if number is None:
        number = min(int((LIST_COST * degrees > items).sum()), MOST_BITS // max(items, 1))
    return order[len(order) - min(number, len(order)) :]


class Hubs(NamedTuple):
    """Entities as bitmaps.

    Attributes:
        starts: (M + 1,) where an item's hubs begin; each item has a multiple of `TOGETHER` of them.
        hubs: which these are, the last one, which no item has, to fill up.
        bitmaps: (chunks, hubs + 1, WORDS): the bit of each item of each chunk that has the hub.
    """

    starts: NDArray[np.int64]
    hubs: NDArray[np.int32]
    bitmaps: NDArray[np.uint64]


class Lists(NamedTuple):
    """Entities that are no hubs and have two items or more, by item and by entity.

    Attributes:
        starts: (M + 1,) where an item's entries begin.
        after, ends: (entries,) where in `items` the items of the entry's entity that come after this one begin, and end.
        items: (entries,) the items of each entity in turn, ascending.
    """

    starts: NDArray[np.int64]
    after: NDArray[np.int64]
    ends: NDArray[np.int64]
    items: NDArray[np.int32]


def _hubs(incidence: csr_matrix, chosen: NDArray[np.int64]) -> Hubs:
    number = np.full(incidence.shape[1], -1, dtype=np.int32)
    number[chosen] = np.arange(len(chosen))
    of_entries, rows = number[incidence.indices], _rows(incidence)
    found = of_entries >= 0
    of_entries, rows = of_entries[found], rows[found].astype(np.int64)
    counts = np.bincount(rows, minlength=incidence.shape[0])
    starts = np.r_[0, np.cumsum(-(-counts // TOGETHER) * TOGETHER)]
    hubs = np.full(starts[-1], len(chosen), dtype=np.int32)
    hubs[np.arange(len(rows)) + (starts[:-1] - np.r_[0, np.cumsum(counts)][:-1])[rows]] = of_entries
    bitmaps = np.zeros((-(-incidence.shape[0] // CHUNK), len(chosen) + 1, WORDS), dtype=np.uint64)
    words = (rows // CHUNK * (len(chosen) + 1) + of_entries) * WORDS + rows % CHUNK // 64
    np.bitwise_or.at(bitmaps.reshape(-1), words, np.uint64(1) << (rows % 64).astype(np.uint64))
    return Hubs(starts, hubs, bitmaps)


def _lists(incidence: csr_matrix, degrees: NDArray[np.int64], hubs: NDArray[np.int64]) -> Lists:
    walked = degrees > 1
    walked[hubs] = False
    kept = walked[incidence.indices]
    rows, entities = _rows(incidence)[kept], incidence.indices[kept]
    by_entity = np.argsort(entities, kind="stable")
    place = np.empty(len(rows), dtype=np.int64)
    place[by_entity] = np.arange(len(rows))
    starts = np.r_[0, np.cumsum(np.bincount(rows, minlength=incidence.shape[0]))]
    ends = np.cumsum(np.bincount(entities, minlength=incidence.shape[1]))[entities]
    return Lists(starts, place + 1, ends, rows[by_entity])


def _blocks(lists: Lists, hubs: Hubs, number: int | None) -> list[range]:
    """Rows in blocks of about equal cost."""
    items = len(lists.starts) - 1
    met = np.r_[0, np.cumsum(lists.ends - lists.after)][lists.starts]
    # A row that has no hub is looked at as well.
    bits = np.cumsum((np.diff(hubs.starts) + 1) * np.arange(items, 0, -1))
    cost = LIST_COST * met + np.r_[0, bits]
    number = number or max(int(cost[-1]) // BLOCK_COST, FEWEST_BLOCKS)
    bounds = np.unique(np.searchsorted(cost, np.linspace(0, cost[-1], number + 1))).tolist()
    return [range(first, last) for first, last in pairwise(bounds)]


def _walked(
    rows: range,
    lists: Lists,
    hubs: Hubs,
    longest: int,
    s_m: int,
) -> tuple[Array, Array, Array]:
    """Pairs whose smaller item is one of some rows.

    Args:
        longest: the most entities that an item has.

    Returns:
        (3, edges) source, target and overlap of pairs above ``s_m``; (longest + 1,) pairs by how many entities they share, without those
        that share none; and (M,) the most that each item shares with another, as far as these pairs tell.
    """
    items, chunks = len(lists.starts) - 1, len(hubs.bitmaps)
    # Counters as small as they may be: of more of them the nearest caches hold more.
    counter: Any = np.uint16 if longest < 2**16 else np.int32
    most: Array = np.zeros(items, dtype=counter)
    sharing = np.zeros(longest + 1, dtype=np.int64)
    seen = np.zeros((chunks, LEVELS * WORDS), dtype=np.uint64)
    entries = slice(lists.starts[rows.start], lists.starts[rows.stop])
    of_rows = (
        rows.start,
        lists.starts[rows.start : rows.stop + 1] - entries.start,
        lists.after[entries].copy(),
        lists.ends[entries],
        lists.items,
        *hubs,
        s_m,
        planes_for(int(np.diff(hubs.starts[rows.start : rows.stop + 1]).max(initial=0))),
        np.zeros(CHUNK, dtype=counter),
        np.empty(CHUNK + 1, dtype=np.int32),
    )
    # Room for what one item can give, and more: the walk stops where it might not do, and goes on with another piece.
    room = max(EDGES, CHUNK)
    pieces = []
    for chunk in range(rows.start // CHUNK, chunks):
        first, last = rows.start, min(rows.stop, (chunk + 1) * CHUNK)
        while first < last:
            pairs = np.empty((3, room), dtype=np.int32)
            first, edges = compiled_walk()(first, last, chunk, *of_rows, seen[chunk], sharing, most, pairs)
            pieces.append(pairs[:, :edges].copy())
    for level in range(1, LEVELS):
        words = seen.reshape(chunks, LEVELS, WORDS)[:, level].reshape(-1)[: -(-items // 64)]
        bits = np.unpackbits(words.view(np.uint8), count=items, bitorder="little")
        np.maximum(most, bits.astype(counter) * counter(level), out=most)
    return np.concatenate([np.empty((3, 0), dtype=np.int32), *pieces], axis=1), sharing, most


def _rows(incidence: csr_matrix) -> NDArray[np.int32]:
    return np.repeat(np.arange(incidence.shape[0], dtype=np.int32), np.diff(incidence.indptr))


def _threshold_table(histogram: NDArray[np.int64], most_shared: NDArray[np.int64]) -> pl.DataFrame:
    """``histogram[k]`` pairs share exactly k entities; an item is isolated at S_m when it shares at most S_m with any."""
    histogram = histogram[: most_shared.max(initial=0) + 1]
    edges = histogram.sum() - np.cumsum(histogram)
    isolated = np.cumsum(np.bincount(most_shared, minlength=len(histogram)))
    return pl.DataFrame(
        {
            "s_m": np.arange(len(histogram)),
            "edges": edges,
            "density": edges / possible_pairs(len(most_shared)),
            "isolated_items": isolated,
        }
    )


def possible_pairs(items: int) -> int:
    return max(items * (items - 1) // 2, 1)
