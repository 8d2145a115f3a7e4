"""Why an item is recommended, as one sentence of contributions that add up to the score: for every command, the report and its page.

Of each kind (likes, dislikes) that speaks for the item the strongest contributions for it are named, and of one that speaks
against it those against; all others are one number. The numbers add up as they are printed. `report/page/taste.js` says it in
the same words and numbers, and a test in a browser compares them.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

NAMED_LIKES, NAMED_DISLIKES = 2, 1
DIGITS = 2


class Named(NamedTuple):
    """A contribution of an item.

    Attributes:
        title: of the item.
        value: what it adds.
        cause: what most of it comes from, in words; empty where there is nothing to say.
    """

    title: str
    value: float
    cause: str = ""


class Piece(NamedTuple):
    """One contribution, or several together: words, an item's title, and the number that they have.

    Attributes:
        words: what stands before the title, and between it and the piece before: "; because you disliked ".
        title: of the item; empty where the contribution is of no single item.
        number: as it is printed: "+0.31".
        cause: what most of it comes from, or empty.
    """

    words: str
    title: str
    number: str
    cause: str = ""


class _Unrounded(NamedTuple):
    """A piece before its number is rounded."""

    words: str
    title: str
    value: float
    cause: str = ""


def pieces(
    likes: Sequence[Named],
    dislikes: Sequence[Named],
    bias: float,
    score: float,
    digits: int = DIGITS,
) -> list[Piece]:
    """All contributions to a score, the small ones together: as they are printed they add up to it.

    Args:
        likes: of each liked item; dislikes likewise. A kind that contributes nothing is left out.
        bias: what is said of the item to anybody.
        score: that is printed beside them.
        digits: after the decimal point, of the score as well.
    """
    clauses = [
        _of_kind(likes, NAMED_LIKES, "because you liked", "in spite of your liking"),
        _of_kind(dislikes, NAMED_DISLIKES, "because you disliked", "in spite of your disliking"),
        [_Unrounded("for anybody", "", bias)] if bias else [],
    ]
    found: list[_Unrounded] = []
    for clause in filter(None, clauses):
        first, *rest = clause
        found += [first._replace(words=f"; {first.words}" if found else first.words), *rest]
    values = rounded([one.value for one in found], score, digits)
    return [
        Piece(one.words, one.title, signed(value, digits), one.cause) for one, value in zip(found, values, strict=True)
    ]


def sentence(found: Iterable[Piece]) -> str:
    """In plain text.

    >>> sentence(pieces([Named("A", 0.31, "similar"), Named("B", 0.12), Named("C", -0.02)], [Named("D", -0.08)], 0.5, score=0.83))
    'because you liked A (+0.31, similar), B (+0.12) and 1 other (-0.02); in spite of your disliking D (-0.08); for anybody (+0.50)'
    """
    return "".join(f"{one.words}{one.title} ({', '.join(filter(None, [one.number, one.cause]))})" for one in found)


def rounded(values: Sequence[float], total: float, digits: int) -> list[float]:
    """Values rounded so that they add up to their rounded sum: each up or down, the largest fractions up.

    Args:
        values: to round.
        total: their sum, which may differ from it in digits that do not count.
        digits: after the decimal point.

    >>> rounded([0.334, 0.333, 0.333], 1.0, 2)
    [0.34, 0.33, 0.33]
    """
    scaled = [value * 10**digits for value in values]
    whole = [math.floor(value) for value in scaled]
    up = round(round(total, digits) * 10**digits) - sum(whole)
    for place in sorted(range(len(values)), key=lambda place: whole[place] - scaled[place])[:up]:
        whole[place] += 1
    return [value / 10**digits for value in whole]


def signed(value: float, digits: int) -> str:
    """'+0.31' or '-0.08'; what rounds to zero has no sign."""
    text = f"{value:+.{digits}f}"
    return text[1:] if float(text) == 0 else text


def _of_kind(contributions: Sequence[Named], named: int, because: str, in_spite: str) -> list[_Unrounded]:
    if not any(one.value for one in contributions):
        return []
    speaks_for = sum(one.value for one in contributions) >= 0
    order = sorted(contributions, key=lambda one: -one.value if speaks_for else one.value)
    first, rest = order[:named], order[named:]
    words = because if speaks_for else in_spite
    found = [_Unrounded(", " if place else f"{words} ", *one) for place, one in enumerate(first)]
    if rest:
        left = sum(one.value for one in rest)
        found.append(_Unrounded(f" and {len(rest)} {'other' if len(rest) == 1 else 'others'}", "", left))
    return found
