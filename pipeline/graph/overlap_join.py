"""Which items share more than S_m entities, and how many pairs every other threshold would join, exactly.

Hubs ("English", "Drama") make A Aᵀ dense, although nearly all pairs that they bring together share too little. So the few
entities with the most items, the hubs, are told apart from the rest, and every item has a signature: the set of its hubs, as bits.

- **Pairs that share an entity beside the hubs** are counted one by one along the rest's lists of items; what they share of the hubs is
  the number of bits that both signatures have. Entities from rare to common, and only the rare ones are walked.
- **Pairs that share hubs alone** are not walked, but counted by inclusion and exclusion: with f(S) the number of items that have all
  hubs of S, Σ_{|S| = s} f(S)(f(S) - 1)/2 = Σ_k C(k, s) #{pairs that share exactly k hubs}, for every s at once in H 2^H steps.
  Those above the threshold are found by the prefix filter: two items with more than S_m common hubs meet in the first
  |hubs| - S_m of each, from rare to common (AllPairs: Bayardo, Ma, Srikant, WWW 2007; PPJoin: Xiao, Wang, Lin, Yu, WWW 2008).

The table of all thresholds needs every pair that shares anything, so that the prefix filter alone, which skips pairs below one threshold,
is not enough; the hubs, where nearly all pairs are, are where it is applied. How many hubs there are is chosen by what each choice costs.
Memory: the edges, 2^H counters, and for each block of rows that is walked a few arrays of the items' length.

Rows are walked in blocks of about equal cost, each against the lists of all items: the prefix filter and the rest's lists say which
items a row meets, and all others it never looks at.
"""

from __future__ import annotations

from functools import cache
from itertools import pairwise
from math import comb
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import polars as pl
from numba.extending import register_jitable

from pipeline.common.blocks import MapBlocks
from pipeline.common.cached_njit import cached_njit
from pipeline.common.side_by_side import local

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray
    from scipy.sparse import csr_matrix

Array = np.ndarray[Any, Any]

# 2^22 counters of 8 bytes are 32 MiB.
MOST_HUBS = 22
# What a pair costs to walk, in units of what a counter of inclusion and exclusion costs in one of its steps.
PAIR_COST = 3.0
# Edges that a thread writes down before it hands them over, at least.
EDGES = 2**16
# What a block of rows costs, in pairs that are looked at and rows, and how many blocks there are at least: enough to share out.
BLOCK_COST, FEWEST_BLOCKS = 50_000_000, 16


def overlap_join(
    incidence: csr_matrix,
    s_m: int,
    *,
    hubs: int | None = None,
    blocks: int | None = None,
    map_blocks: MapBlocks = local,
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """All pairs with an overlap above ``s_m``, and what every other threshold would give.

    Args:
        incidence: (M, entities) 0/1, each entry stored once.
        hubs: how many entities are hubs; by cost if not given. The result does not depend on it.
        blocks: how many blocks of rows there are, about; by cost if not given. The result does not depend on it.
        map_blocks: who walks them. The result does not depend on it.

    Returns:
        edges (source, target, overlap; source < target, in that order), and (s_m, edges, density, isolated_items) from 0 to the
        largest overlap.
    """
    degrees = np.bincount(incidence.indices, minlength=incidence.shape[1])
    chosen = chosen_hubs(degrees, hubs)
    signatures = _signatures(incidence, chosen)
    histogram, most_shared = pairs_by_common_bits(signatures, len(chosen))
    longest = int(np.diff(incidence.indptr).max(initial=0))
    histogram = np.pad(histogram, (0, longest))
    rest, prefixes = _rest(incidence, degrees, chosen), _prefixes(signatures, len(chosen), s_m)
    kept = []
    for pairs, met, most in map_blocks(
        _walked, _blocks(rest, blocks), rest, prefixes, signatures, len(chosen), longest, s_m
    ):
        kept.append(pl.DataFrame(dict(zip(("source", "target", "overlap"), pairs, strict=True))))
        # These pairs were counted by their hubs alone.
        histogram[: len(met)] -= met.sum(axis=1)
        for hubs_shared, others in enumerate(met):
            histogram[hubs_shared : hubs_shared + len(others)] += others
        np.maximum(most_shared, most, out=most_shared)
    return pl.concat(kept).sort("source", "target"), _threshold_table(histogram, most_shared)


def chosen_hubs(degrees: NDArray[np.int64], number: int | None) -> NDArray[np.int64]:
    """Entities by number of items, fewest first, cut to the last ``number``, or to as many as cost least."""
    order = np.argsort(degrees, kind="stable")
    most = min(MOST_HUBS, len(order))
    if number is None:
        largest = degrees[order[::-1][:most]].astype(np.float64)
        pairs = np.square(degrees, dtype=np.float64).sum() - np.cumsum(np.r_[0.0, np.square(largest)])
        choices = np.arange(most + 1)
        number = int(np.argmin(PAIR_COST * pairs / 2 + np.exp2(choices) * (choices + 1)))
    return order[len(order) - min(number, most) :]


def _signatures(incidence: csr_matrix, hubs: NDArray[np.int64]) -> NDArray[np.int32]:
    """(M,): bit b is set where the item has the b-th hub; the lowest bit is the rarest hub."""
    bit = np.full(incidence.shape[1], -1)
    bit[hubs] = np.arange(len(hubs))
    bits, rows = bit[incidence.indices], _rows(incidence)
    found = bits >= 0
    # Sums of different powers of two below 2^53: exact in floating point.
    sums = np.bincount(rows[found], weights=np.exp2(bits[found]), minlength=incidence.shape[0])
    return sums.astype(np.int32)


def pairs_by_common_bits(signatures: NDArray[np.int32], bits: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Count all pairs of signatures by the number of bits that both have, without looking at any pair.

    Args:
        signatures: (M,), below 2^bits.

    Returns:
        (bits + 1,) pairs i < j with exactly k common bits, and (M,) the most bits that each has in common with another.
    """
    have = np.bincount(signatures, minlength=2**bits)
    for bit in range(bits):  # from "exactly these bits" to "at least these"
        halves = have.reshape(-1, 2, 2**bit)
        halves[:, 0] += halves[:, 1]
    sizes = np.where(have >= 2, np.bitwise_count(np.arange(2**bits)), 0)
    for bit in range(bits):  # the largest set within each set that two items have
        halves = sizes.reshape(-1, 2, 2**bit)
        np.maximum(halves[:, 1], halves[:, 0], out=halves[:, 1])
    sums = (have * (have - 1) // 2)[None]
    for bit in reversed(range(bits)):  # row s: over all sets of s of the bits that are done
        folded = np.zeros((len(sums) + 1, 2**bit), dtype=np.int64)
        folded[:-1] += sums[:, : 2**bit]
        folded[1:] += sums[:, 2**bit :]
        sums = folded
    at_least = [int(number) for number in sums[:, 0]]
    exactly = [
        sum((-1) ** (size - k) * comb(size, k) * at_least[size] for size in range(k, bits + 1)) for k in range(bits + 1)
    ]
    # The sums may have wrapped around, and what comes out is right modulo 2^64 and smaller than that.
    return np.array([number % 2**64 for number in exactly], dtype=np.int64), sizes[signatures].astype(np.int64)


class _Rest(NamedTuple):
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


class _Prefixes(NamedTuple):
    """Items by the hubs of their prefix: of each item the first |hubs| - S_m hubs, from rare to common.

    Attributes:
        starts: (hubs + 1,) where a hub's items begin.
        items: ascending within each hub.
    """

    starts: NDArray[np.int64]
    items: NDArray[np.int32]


def _rest(incidence: csr_matrix, degrees: NDArray[np.int64], hubs: NDArray[np.int64]) -> _Rest:
    walked = degrees > 1
    walked[hubs] = False
    kept = walked[incidence.indices]
    rows, entities = _rows(incidence)[kept], incidence.indices[kept]
    by_entity = np.argsort(entities, kind="stable")
    place = np.empty(len(rows), dtype=np.int64)
    place[by_entity] = np.arange(len(rows))
    starts = np.r_[0, np.cumsum(np.bincount(rows, minlength=incidence.shape[0]))]
    ends = np.cumsum(np.bincount(entities, minlength=incidence.shape[1]))[entities]
    return _Rest(starts, place + 1, ends, rows[by_entity])


def _prefixes(signatures: NDArray[np.int32], hubs: int, s_m: int) -> _Prefixes:
    sizes = np.bitwise_count(signatures).astype(np.int64)
    lists = []
    for bit in range(hubs):
        rarer = np.bitwise_count(signatures & (2**bit - 1))
        lists.append(np.flatnonzero((signatures >> bit & 1 == 1) & (rarer < sizes - s_m)).astype(np.int32))
    starts = np.cumsum([0, *(len(items) for items in lists)])
    return _Prefixes(starts, np.concatenate([*lists, np.empty(0, dtype=np.int32)]))


def _blocks(rest: _Rest, number: int | None) -> list[range]:
    """Rows in blocks of about equal cost."""
    ahead = np.r_[0, np.cumsum(rest.ends - rest.after)]
    cost = ahead[rest.starts] + np.arange(len(rest.starts))
    number = number or max(int(cost[-1]) // BLOCK_COST, FEWEST_BLOCKS)
    bounds = np.unique(np.searchsorted(cost, np.linspace(0, cost[-1], number + 1))).tolist()
    return [range(first, last) for first, last in pairwise(bounds)]


def _walked(
    rows: range,
    rest: _Rest,
    prefixes: _Prefixes,
    signatures: NDArray[np.int32],
    hubs: int,
    longest: int,
    s_m: int,
) -> tuple[Array, Array, Array]:
    """Pairs whose smaller item is one of some rows.

    Args:
        hubs: how many there are.
        longest: the most entities that an item has.

    Returns:
        (3, edges) source, target and overlap of pairs above ``s_m``; and `met` and `most` of `_walk`.
    """
    # Counters as small as they may be: the walk is bound by how many of them the nearest caches hold.
    most: Array = np.zeros(len(signatures), dtype=np.uint16 if longest < 2**16 else np.int32)
    met = np.zeros((hubs + 1, longest + 1), dtype=np.int64)
    # Room for what one item can give, and more: the walk stops where it might not do, and goes on with another piece.
    room = max(EDGES, len(signatures))
    given = (*rest, *prefixes, signatures, s_m, np.zeros_like(most), np.empty(len(signatures), np.int32), most, met)
    first, pieces = rows.start, []
    while first < rows.stop:
        pairs = np.empty((3, room), dtype=np.int32)
        first, edges = _compiled()(first, rows.stop, *given, pairs)
        pieces.append(pairs[:, :edges].copy())
    return np.concatenate([np.empty((3, 0), dtype=np.int32), *pieces], axis=1), met, most


def _rows(incidence: csr_matrix) -> NDArray[np.int32]:
    return np.repeat(np.arange(incidence.shape[0], dtype=np.int32), np.diff(incidence.indptr))


@cache
def _compiled() -> Callable[..., tuple[int, int]]:
    """The walk as machine code, which numba keeps beside this file; it lets go of the interpreter, so that threads run at once."""
    register_jitable(_ones)
    compiled: Callable[..., tuple[int, int]] = cached_njit(nogil=True)(_walk)
    return compiled


def _ones(bits: Any) -> Any:
    """Number of bits that are set, below 2^32."""
    bits = bits - (bits >> 1 & 0x55555555)
    bits = (bits & 0x33333333) + (bits >> 2 & 0x33333333)
    return ((bits + (bits >> 4) & 0x0F0F0F0F) * 0x01010101 & 0xFFFFFFFF) >> 24


def _walk(
    first: int,
    last: int,
    starts: Array,
    after: Array,
    ends: Array,
    items: Array,
    prefix_starts: Array,
    prefix_items: Array,
    signatures: Array,
    s_m: int,
    shared: Array,
    others: Array,
    most: Array,
    met: Array,
    pairs: Array,
) -> tuple[int, int]:
    """Pairs whose smaller item is in ``first`` to ``last``.

    Args:
        starts, after, ends, items: of `_Rest`.
        prefix_starts, prefix_items: of `_Prefixes`.
        shared: (M,) zeros, and zeros again at the end: how many entities of the rest an item shares with each other one.
        others: (M,) to write to.
        most: (M,) the most that each item shares with another; only pairs that share an entity of the rest are looked at.
        met: (hubs + 1, longest + 1) such pairs by the hubs and by the entities of the rest that they share.
        pairs: (3, M or more) to write source, target and overlap to of what is above ``s_m``.

    Returns:
        The item to go on with, ``last`` or one that might have more edges than there is room left, and the number of edges.
    """
    count, room = len(signatures), pairs.shape[1]
    edges = 0
    for item in range(first, last):
        # No more than one edge to each other item can come of this one.
        if room - edges < count:
            return item, edges
        signature = signatures[item]
        number = 0
        for entry in range(starts[item], starts[item + 1]):
            for place in range(after[entry], ends[entry]):
                other = items[place]
                if shared[other] == 0:
                    others[number] = other
                    number += 1
                shared[other] += 1
        for hub in range(len(prefix_starts) - 1):
            if signature >> hub & 1 == 0:
                continue
            rarer = (1 << hub) - 1
            begin, end = prefix_starts[hub], prefix_starts[hub + 1]
            while begin < end:  # to the first item after this one
                middle = (begin + end) // 2
                if prefix_items[middle] > item:
                    end = middle
                else:
                    begin = middle + 1
            for place in range(begin, prefix_starts[hub + 1]):
                other = prefix_items[place]
                common = signature & signatures[other]
                # Pairs that meet at a rarer hub have been found there, those that meet in the rest are found below.
                if common & rarer == 0 and shared[other] == 0:
                    overlap = _ones(common)
                    if overlap > s_m:
                        pairs[0, edges], pairs[1, edges], pairs[2, edges] = item, other, overlap
                        edges += 1
        largest = most[item]
        for place in range(number):
            other = others[place]
            hubs = _ones(signature & signatures[other])
            overlap = hubs + shared[other]
            met[hubs, shared[other]] += 1
            shared[other] = 0
            if overlap > most[other]:
                most[other] = overlap
            if overlap > largest:
                largest = overlap
            if overlap > s_m:
                pairs[0, edges], pairs[1, edges], pairs[2, edges] = item, other, overlap
                edges += 1
        most[item] = largest
    return last, edges


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
