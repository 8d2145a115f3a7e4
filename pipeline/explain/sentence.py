"""Reasons as a person reads them: the items that pull most, what all others add up to, and what is said to anybody."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

NAMED_LIKES, NAMED_DISLIKES = 2, 1


class Reason(NamedTuple):
    """A part of a score.

    Attributes:
        words: what stands before the item: "because you liked"; empty where the item goes on from the reason before.
        title: of the item; empty where the part is of no single item.
        part: what it adds to the score.
    """

    words: str
    title: str
    part: float


def reasons_of(likes: Sequence[tuple[str, float]], dislikes: Sequence[tuple[str, float]], bias: float) -> list[Reason]:
    """All parts of a score, the small ones together: they add up to it.

    Args:
        likes: title and part of each liked item; dislikes likewise.
        bias: what is said to anybody.
    """
    found = [
        *_of_kind(likes, NAMED_LIKES, "because you liked", "in spite of your liking"),
        *_of_kind(dislikes, NAMED_DISLIKES, "because you disliked", "in spite of your disliking"),
    ]
    return [*found, Reason("for anybody", "", bias)] if bias else found


def _of_kind(parts: Sequence[tuple[str, float]], named: int, because: str, in_spite: str) -> list[Reason]:
    """Of a kind that speaks for the item the strongest parts for it are named, and of one that speaks against it those against."""
    if not parts:
        return []
    speaks_for = sum(part for _, part in parts) >= 0
    order = sorted(range(len(parts)), key=lambda place: (-parts[place][1] if speaks_for else parts[place][1], place))
    first, rest = order[:named], order[named:]
    words = because if speaks_for else in_spite
    found = [Reason(words if number == 0 else "", *parts[place]) for number, place in enumerate(first)]
    if rest:
        left = sum(parts[place][1] for place in rest)
        found.append(Reason(f"and {len(rest)} {'other' if len(rest) == 1 else 'others'}", "", left))
    return found
