"""A score taken apart for a person to read: all contributions by size, and numbers that add up as printed."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from pipeline.explain.causes import Causes
from pipeline.explain.contributions import KINDS, Contributions, Kind
from pipeline.explain.parts import Cause
from pipeline.explain.sentence import DIGITS, Named, pieces, rounded, sentence
from pipeline.users.people import Person

if TYPE_CHECKING:
    from numpy.typing import NDArray

# What a head's item bias says of an item, whoever asks.
BIASES = {
    "click": "how often it is liked",
    "like": "how often it is liked",
    "meet": "how often it is rated",
    "judge": "how well those who rate it like it",
}
MOST_DIGITS = 6


@dataclass(frozen=True)
class Contribution:
    """One number of the sum that is the score.

    Attributes:
        kind: like, dislike or bias.
        value: what it adds.
        item: index, of a liked or disliked item.
        head: whose bias it is.
        cause: what most of it comes from; None of a bias, and where the model has but one part.
    """

    kind: Kind
    value: float
    item: int | None = None
    head: str | None = None
    cause: Cause | None = None


def by_size(contributions: Contributions, person: Person, row: int, causes: Causes | None = None) -> list[Contribution]:
    """Contributions to one candidate's score, the largest (whatever its sign) of each kind first; likes, dislikes, biases.

    Args:
        contributions: to the scores of some candidates.
        person: whose they are.
        row: of the candidate.
        causes: what most of each comes from, as `main_causes_of` says.
    """
    rows = (
        ("like", person.likes, contributions.likes[row], causes and causes.likes[row]),
        ("dislike", person.dislikes, contributions.dislikes[row], causes and causes.dislikes[row]),
    )
    found = [
        Contribution(kind, float(value), item=int(item), cause=cause)  # type: ignore[arg-type]
        for kind, items, values, causing in rows
        for item, value, cause in zip(items, values, causing or [None] * len(items), strict=True)
    ]
    found += [Contribution("bias", float(values[row]), head=head) for head, values in contributions.biases.items()]
    return sorted(found, key=lambda one: (KINDS.index(one.kind), -abs(one.value)))


@dataclass(frozen=True)
class Line:
    """
    Attributes:
        contributions: the one that the line shows, or those that are left when the largest are shown.
        value: their sum, rounded.
    """

    contributions: tuple[Contribution, ...]
    value: float

    @property
    def rest(self) -> bool:
        return len(self.contributions) > 1


def lines_of(contributions: Sequence[Contribution], shown: int, digits: int) -> dict[Kind, list[Line]]:
    """The contributions as lines to print, whose rounded values add up to the rounded score.

    Args:
        contributions: as `by_size` gives them.
        shown: so many of each kind have a line of their own, and the rest one for all together.
        digits: after the decimal point.

    Returns:
        kind to lines; kinds without a contribution are left out.
    """
    groups: list[tuple[Contribution, ...]] = []
    lines: dict[Kind, list[Line]] = {}
    for kind in KINDS:
        mine = [one for one in contributions if one.kind == kind]
        # "and 1 more" takes a line as well as the one itself.
        cut = len(mine) if len(mine) == shown + 1 else shown
        groups += [(one,) for one in mine[:cut]]
        groups += [tuple(mine[cut:])] if mine[cut:] else []
    total = math.fsum(one.value for one in contributions)
    values = rounded([math.fsum(one.value for one in group) for group in groups], total, digits)
    for group, value in zip(groups, values, strict=True):
        lines.setdefault(group[0].kind, []).append(Line(group, value))
    # Rounding can change the order.
    return {kind: sorted(mine, key=lambda line: (line.rest, -abs(line.value))) for kind, mine in lines.items()}


def as_printed(lines: Mapping[Kind, Sequence[Line]]) -> list[Contribution]:
    """The contributions with the values that the lines show; on a line of several what rounding did to it is the last one's."""
    found = []
    for line in (line for mine in lines.values() for line in mine):
        *others, last = line.contributions
        value = line.value - math.fsum(one.value for one in others)
        found += [*others, replace(last, value=value)]
    return found


def why(
    contributions: Sequence[Contribution],
    score: float,
    name: Callable[[int], str],
    digits: int,
    tell: Callable[[Contribution], str] = lambda one: "",
) -> str:
    """The contributions as a sentence.

    Args:
        score: that is printed beside it, with as many digits.
        name: of an item.
        tell: what most of a contribution comes from, in words.
    """
    likes, dislikes = (
        [
            Named(name(one.item), one.value, tell(one))
            for one in contributions
            if one.kind == kind and one.item is not None
        ]
        for kind in ("like", "dislike")
    )
    bias = math.fsum(one.value for one in contributions if one.kind == "bias")
    return sentence(pieces(likes, dislikes, bias, score, digits))


def digits_for(values: Sequence[float] | NDArray[np.float64]) -> int:
    """Digits after the decimal point that leave the largest of some numbers two that count, at least `DIGITS` and at most `MOST_DIGITS`."""
    largest = max((abs(float(value)) for value in values), default=0.0)
    return DIGITS if largest == 0 else min(max(DIGITS, 1 - math.floor(math.log10(largest))), MOST_DIGITS)
