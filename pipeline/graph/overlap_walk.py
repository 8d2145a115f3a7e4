"""What items share with all that come after them, counted for 64 pairs at once: the machine code of `overlap_join`.

An entity with many items, a hub, is a bitmap: bit j is set where item j has it. What an item shares of the hubs with all others is then
the sum of its hubs' bitmaps, taken bit by bit: plane p holds bit p of every sum, and full adders, which are a few ANDs and XORs, add
eight bitmaps to the planes at once (carry-save addition, by which Harley and Seal count bits: Warren, "Hacker's Delight", 5-1).
Entities with few items are lists, and are walked.

Items are taken in chunks, whose planes, bitmaps and counters the nearest caches hold.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numba.extending import register_jitable

from pipeline.common.cached_njit import cached_njit

if TYPE_CHECKING:
    from collections.abc import Callable

Array = np.ndarray[Any, Any]

# A chunk is so many words of 64 items. A constant and no argument: only then are the loops compiled to vector instructions. With 512 all
# arrays of a loop would lie in the same few lines of the cache.
WORDS = 256
CHUNK = 64 * WORDS
# Bitmaps that are added at once, and the planes that such an addition touches: what it carries is kept in a plane beside them.
TOGETHER, LOW = 8, 3
# Sums that the low planes tell; larger ones are looked at one by one.
LEVELS = 2**LOW

ZERO, ONE, TWO = np.uint64(0), np.uint64(1), np.uint64(2)
ALTERNATE, PAIRS, NIBBLES = np.uint64(0x5555555555555555), np.uint64(0x3333333333333333), np.uint64(0x0F0F0F0F0F0F0F0F)
BYTES, FOUR, TOP_BYTE = np.uint64(0x0101010101010101), np.uint64(4), np.uint64(56)


@cache
def compiled_walk() -> Callable[..., tuple[int, int]]:
    """The walk as machine code, which numba keeps beside this file; it lets go of the interpreter, so that threads run at once."""
    for function in (_ones, _add_eight, _carry_on, _tally, _add_larger_than, _sum_at):
        register_jitable(function)
    compiled: Callable[..., tuple[int, int]] = cached_njit(nogil=True)(_walk)
    return compiled


def planes_for(most: int) -> Array:
    """Zeros for sums up to ``most``: the low planes, the carry, and the planes above."""
    return np.zeros((max(most.bit_length(), LOW) + 1) * WORDS, dtype=np.uint64)


def _ones(bits: Any) -> Any:
    """Number of bits that are set."""
    bits = bits - ((bits >> ONE) & ALTERNATE)
    bits = (bits & PAIRS) + ((bits >> TWO) & PAIRS)
    return (((bits + (bits >> FOUR)) & NIBBLES) * BYTES) >> TOP_BYTE


def _add_eight(planes: Array, a: Array, b: Array, c: Array, d: Array, e: Array, f: Array, g: Array, h: Array) -> None:
    """Add eight bitmaps to the low planes; what they carry into the next plane is in the plane after them.

    A full adder of x, y and z: with u = x XOR y, the sum is u XOR z, and it carries (x AND y) OR (u AND z).
    """
    for w in range(WORDS):
        ones = planes[w]
        u = ones ^ a[w]
        two_1, ones = (ones & a[w]) | (u & b[w]), u ^ b[w]
        u = ones ^ c[w]
        two_2, ones = (ones & c[w]) | (u & d[w]), u ^ d[w]
        u = ones ^ e[w]
        two_3, ones = (ones & e[w]) | (u & f[w]), u ^ f[w]
        u = ones ^ g[w]
        two_4 = (ones & g[w]) | (u & h[w])
        planes[w] = u ^ h[w]
        twos = planes[WORDS + w]
        u = twos ^ two_1
        four_1, twos = (twos & two_1) | (u & two_2), u ^ two_2
        u = twos ^ two_3
        four_2 = (twos & two_3) | (u & two_4)
        planes[WORDS + w] = u ^ two_4
        fours = planes[2 * WORDS + w]
        u = fours ^ four_1
        planes[3 * WORDS + w] = (fours & four_1) | (u & four_2)
        planes[2 * WORDS + w] = u ^ four_2


def _carry_on(plane: Array, carry: Array) -> None:
    """Add what is carried to a plane; what that carries takes its place."""
    for w in range(WORDS):
        both = plane[w] & carry[w]
        plane[w] ^= carry[w]
        carry[w] = both


def _tally(planes: Array, seen: Array, sharing: Array) -> int:
    """Count the sums of the low planes, where the plane after them has no bit.

    Args:
        seen: (LEVELS * WORDS,) the bit of each item is set at each sum that is counted.
        sharing: how many there are of each sum, added to.

    Returns:
        The largest sum that was counted.
    """
    n1 = n2 = n3 = n4 = n5 = n6 = n7 = ZERO
    for w in range(WORDS):
        a, b, c = planes[w], planes[WORDS + w], planes[2 * WORDS + w]
        high = ~planes[LOW * WORDS + w] & c
        low = ~planes[LOW * WORDS + w] & ~c
        is_1, is_2, is_3 = low & a & ~b, low & b & ~a, low & a & b
        is_4, is_5, is_6, is_7 = high & ~a & ~b, high & a & ~b, high & b & ~a, high & a & b
        n1 += _ones(is_1)
        n2 += _ones(is_2)
        n3 += _ones(is_3)
        n4 += _ones(is_4)
        n5 += _ones(is_5)
        n6 += _ones(is_6)
        n7 += _ones(is_7)
        seen[WORDS + w] |= is_1
        seen[2 * WORDS + w] |= is_2
        seen[3 * WORDS + w] |= is_3
        seen[4 * WORDS + w] |= is_4
        seen[5 * WORDS + w] |= is_5
        seen[6 * WORDS + w] |= is_6
        seen[7 * WORDS + w] |= is_7
    largest = 0
    for level, number in enumerate((ZERO, n1, n2, n3, n4, n5, n6, n7)):
        if number > ZERO:
            sharing[level] += np.int64(number)
            largest = level
    return largest


def _add_larger_than(planes: Array, s_m: int) -> None:
    """Set in the plane after the low ones the bits of the items whose sum by these is above ``s_m``, which is below LEVELS."""
    fours, twos, ones = ZERO - np.uint64(s_m >> 2 & 1), ZERO - np.uint64(s_m >> 1 & 1), ZERO - np.uint64(s_m & 1)
    for w in range(WORDS):
        a, b, c = planes[w], planes[WORDS + w], planes[2 * WORDS + w]
        larger = c & ~fours
        alike = ~(c ^ fours)
        larger |= alike & b & ~twos
        alike &= ~(b ^ twos)
        planes[LOW * WORDS + w] |= larger | (alike & a & ~ones)


def _sum_at(planes: Array, used: int, word: int, bit: Any) -> Any:
    """The sum of one item, by all ``used`` planes."""
    total = np.int64(0)
    for plane in range(used):
        place = plane if plane < LOW else plane + 1
        total |= np.int64((planes[place * WORDS + word] >> bit) & ONE) << plane
    return total


def _walk(
    first: int,
    last: int,
    chunk: int,
    offset: int,
    starts: Array,
    cursor: Array,
    ends: Array,
    items: Array,
    hub_starts: Array,
    hubs: Array,
    bitmaps: Array,
    s_m: int,
    planes: Array,
    shared: Array,
    others: Array,
    seen: Array,
    sharing: Array,
    most: Array,
    pairs: Array,
) -> tuple[int, int]:
    """Pairs of an item from ``first`` to ``last`` and a later one of a chunk.

    Args:
        offset: the first item of the block; the next three are of the block's items.
        starts: (items of the block + 1,) where an item's entries begin.
        cursor, ends: (entries,) where in ``items`` each entry goes on, moved to the next chunk, and ends.
        items: the items of each entity that has a list, ascending.
        hub_starts, hubs, bitmaps: of `Hubs`.
        planes: of `planes_for`.
        shared: (CHUNK,) zeros, and zeros again at the end: how many entities with lists an item shares with each of the chunk.
        others: (CHUNK + 1,) to write to.
        seen: of `_tally`.
        sharing: (longest + 1,) pairs by how many entities they share, added to; those that share none are not counted.
        most: (M,) the most that each item shares with another, but for what `seen` says.
        pairs: (3, CHUNK or more) to write source, target and overlap to of what is above ``s_m``.

    Returns:
        The item to go on with, ``last`` or one that might have more edges than there is room left, and the number of edges.
    """
    low = chunk * CHUNK
    high = min(low + CHUNK, len(most))
    levels, room, edges = len(planes) // WORDS - 1, pairs.shape[1], 0
    carry = planes[LOW * WORDS : (LOW + 1) * WORDS]
    for item in range(first, last):
        # No more than one edge to each item of the chunk can come of this one.
        if room - edges < CHUNK:
            return item, edges
        planes[:] = ZERO
        used = LOW
        for group in range(hub_starts[item], hub_starts[item + 1], TOGETHER):
            _add_eight(
                planes,
                bitmaps[chunk, hubs[group]],
                bitmaps[chunk, hubs[group + 1]],
                bitmaps[chunk, hubs[group + 2]],
                bitmaps[chunk, hubs[group + 3]],
                bitmaps[chunk, hubs[group + 4]],
                bitmaps[chunk, hubs[group + 5]],
                bitmaps[chunk, hubs[group + 6]],
                bitmaps[chunk, hubs[group + 7]],
            )
            level = LOW
            while level < levels and (group + TOGETHER - hub_starts[item]) >> level > 0:
                _carry_on(planes[(level + 1) * WORDS : (level + 2) * WORDS], carry)
                level += 1
            used = level
        if item >= low:  # pairs with itself and with those before it are none of its own
            word, bit = (item - low) >> 6, np.uint64((item - low) & 63)
            later = ~((TWO << bit) - ONE)  # none for the last bit: what is shifted out is gone
            for place in range(used + 1):
                planes[place * WORDS : place * WORDS + word] = ZERO
                planes[place * WORDS + word] &= later
        number = 0
        for entry in range(starts[item - offset], starts[item - offset + 1]):
            at, end = cursor[entry], ends[entry]
            while at < end and items[at] < high:
                other = items[at] - low
                others[number] = other
                number += shared[other] == 0
                shared[other] += 1
                at += 1
            cursor[entry] = at
        largest: Any = np.int64(most[item])
        for at in range(number):
            other = others[at]
            word, bit = other >> 6, np.uint64(other & 63)
            overlap = np.int64(shared[other]) + _sum_at(planes, used, word, bit)
            shared[other] = 0
            for place in range(used + 1):  # it is done, and no sum any more
                planes[place * WORDS + word] &= ~(ONE << bit)
            sharing[overlap] += 1
            most[low + other] = max(np.int64(most[low + other]), overlap)
            largest = max(largest, overlap)
            if overlap > s_m:
                pairs[0, edges], pairs[1, edges], pairs[2, edges] = item, low + other, overlap
                edges += 1
        # The carry's place is free: which items have a sum beyond the low planes.
        carry[:] = ZERO
        for level in range(LOW, used):
            plane = planes[(level + 1) * WORDS : (level + 2) * WORDS]
            for w in range(WORDS):
                carry[w] |= plane[w]
        largest = max(largest, _tally(planes, seen, sharing))
        if s_m < LEVELS - 1:
            _add_larger_than(planes, s_m)
        for word in range(WORDS):
            left = carry[word]
            while left != ZERO:
                bit = _ones((left & (~left + ONE)) - ONE)
                left &= left - ONE
                overlap = _sum_at(planes, used, word, bit)
                other = low + 64 * word + np.int64(bit)
                if overlap >= LEVELS:
                    sharing[overlap] += 1
                    most[other] = max(np.int64(most[other]), overlap)
                    largest = max(largest, overlap)
                if overlap > s_m:
                    pairs[0, edges], pairs[1, edges], pairs[2, edges] = item, other, overlap
                    edges += 1
        most[item] = largest
    return last, edges
