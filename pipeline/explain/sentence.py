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


class Piece(NamedTuple):
    """One contribution, or several together: words, an item's title, and the number that they have.

    Attributes:
        words: what stands before the title, and between it and the piece before: "; because you disliked ".
        title: of the item; empty where the contribution is of no single item.
        number: as it is printed: "+0.31".
    """

    words: str
    title: str
    number: str


class _Named(NamedTuple):
    """A piece before its number is rounded."""

    words: str
    title: str
    value: float


def pieces(
    likes: Sequence[tuple[str, float]],
    dislikes: Sequence[tuple[str, float]],
    bias: float,
    score: float,
    digits: int = DIGITS,
) -> list[Piece]:
    """All contributions to a score, the small ones together: as they are printed they add up to it.

    Args:
        likes: title and contribution of each liked item; dislikes likewise. A kind that contributes nothing is left out.
        bias: what is said of the item to anybody.
        score: that is printed beside them.
        digits: after the decimal point, of the score as well.
    """
    clauses = [
        _of_kind(likes, NAMED_LIKES, "because you liked", "in spite of your liking"),
        _of_kind(dislikes, NAMED_DISLIKES, "because you disliked", "in spite of your disliking"),
        [_Named("for anybody", "", bias)] if bias else [],
    ]
    found: list[_Named] = []
    for clause in filter(None, clauses):
        first, *rest = clause
        found += [first._replace(words=f"; {first.words}" if found else first.words), *rest]
    values = rounded([one.value for one in found], score, digits)
    return [Piece(one.words, one.title, signed(value, digits)) for one, value in zip(found, values, strict=True)]


def sentence(found: Iterable[Piece]) -> str:
    """In plain text.

    >>> sentence(pieces([("A", 0.31), ("B", 0.12), ("C", -0.02)], [("D", -0.08)], 0.5, score=0.83))
    'because you liked A (+0.31), B (+0.12) and 1 other (-0.02); in spite of your disliking D (-0.08); for anybody (+0.50)'
    """
    return "".join(f"{piece.words}{piece.title} ({piece.number})" for piece in found)


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


def _of_kind(contributions: Sequence[tuple[str, float]], named: int, because: str, in_spite: str) -> list[_Named]:
    if not any(value for _, value in contributions):
        return []
    speaks_for = sum(value for _, value in contributions) >= 0
    order = sorted(contributions, key=lambda one: -one[1] if speaks_for else one[1])
    first, rest = order[:named], order[named:]
    words = because if speaks_for else in_spite
    found = [_Named(", " if place else f"{words} ", title, value) for place, (title, value) in enumerate(first)]
    if rest:
        left = sum(value for _, value in rest)
        found.append(_Named(f" and {len(rest)} {'other' if len(rest) == 1 else 'others'}", "", left))
    return found
