"""A score taken apart for a person to read: parts by size, numbers that add up as printed, and the reason in one line."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from pipeline.users.people import Person

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pipeline.explain.contributions import Contributions

Kind = Literal["liked", "disliked", "bias"]
KINDS: tuple[Kind, ...] = ("liked", "disliked", "bias")
# What a head's item bias says of an item, whoever asks.
BIASES = {
    "click": "how often it is liked",
    "like": "how often it is liked",
    "meet": "how often it is rated",
    "judge": "how well those who rate it like it",
}
# Items that the one line names, for and against.
NAMED_FOR, NAMED_AGAINST = 2, 1
# What speaks against is not worth a word below this share of what speaks most for it.
WORTH_A_WORD = 0.25
DIGITS = 2


@dataclass(frozen=True)
class Part:
    """One number of the sum that is the score.

    Attributes:
        kind: an item that was liked, one that was disliked, or a bias.
        value: what it adds.
        item: index, of a liked or disliked item.
        head: whose bias it is.
    """

    kind: Kind
    value: float
    item: int | None = None
    head: str | None = None


def parts_of(contributions: Contributions, person: Person, row: int) -> list[Part]:
    """Parts of one candidate's score, the largest (whatever its sign) of each kind first; likes, dislikes, biases.

    Args:
        contributions: to the scores of some candidates.
        person: whose they are.
        row: of the candidate.
    """
    rows = (
        ("liked", person.likes, contributions.likes[row]),
        ("disliked", person.dislikes, contributions.dislikes[row]),
    )
    parts = [
        Part(kind, float(value), item=int(item))  # type: ignore[arg-type]
        for kind, items, values in rows
        for item, value in zip(items, values, strict=True)
    ]
    parts += [Part("bias", float(values[row]), head=head) for head, values in contributions.biases.items()]
    return sorted(parts, key=lambda part: (KINDS.index(part.kind), -abs(part.value)))


@dataclass(frozen=True)
class Line:
    """
    Attributes:
        parts: the one part that the line shows, or those that are left when the largest are shown.
        value: their sum, rounded.
    """

    parts: tuple[Part, ...]
    value: float

    @property
    def rest(self) -> bool:
        return len(self.parts) > 1


def lines_of(parts: Sequence[Part], shown: int, digits: int) -> dict[Kind, list[Line]]:
    """The parts as lines to print, whose rounded values add up to the rounded score.

    Args:
        parts: as `parts_of` gives them.
        shown: so many of each kind have a line of their own, and the rest one for all together.
        digits: after the decimal point.

    Returns:
        kind to lines; kinds without a part are left out.
    """
    groups: list[tuple[Part, ...]] = []
    lines: dict[Kind, list[Line]] = {}
    for kind in KINDS:
        mine = [part for part in parts if part.kind == kind]
        # "and 1 more" takes a line as well as the one itself.
        cut = len(mine) if len(mine) == shown + 1 else shown
        groups += [(part,) for part in mine[:cut]]
        groups += [tuple(mine[cut:])] if mine[cut:] else []
    values = rounded([math.fsum(part.value for part in group) for group in groups], digits)
    for group, value in zip(groups, values, strict=True):
        lines.setdefault(group[0].kind, []).append(Line(group, value))
    # Rounding can change the order.
    return {kind: sorted(mine, key=lambda line: (line.rest, -abs(line.value))) for kind, mine in lines.items()}


def as_printed(parts: Sequence[Part], lines: Mapping[Kind, Sequence[Line]]) -> list[Part]:
    """The parts, those with a line of their own with the value that it shows."""
    printed = {line.parts[0]: line.value for mine in lines.values() for line in mine if not line.rest}
    return [replace(part, value=printed.get(part, part.value)) for part in parts]


def rounded(values: Sequence[float], digits: int) -> list[float]:
    """Values rounded so that they add up to their rounded sum: each up or down, the largest fractions up.

    >>> rounded([0.334, 0.333, 0.333], 2)
    [0.34, 0.33, 0.33]
    """
    scaled = np.asarray(values, dtype=np.float64) * 10**digits
    whole = np.floor(scaled)
    fractions = scaled - whole
    up = np.argsort(-fractions, kind="stable")[: round(float(fractions.sum() + whole.sum()) - float(whole.sum()))]
    whole[up] += 1
    return [round(float(value) / 10**digits, digits) + 0.0 for value in whole]


def digits_for(values: Sequence[float] | NDArray[np.float64]) -> int:
    """Digits after the decimal point that leave the largest of some numbers two that count, at least 2 and at most 6."""
    largest = max((abs(float(value)) for value in values), default=0.0)
    return DIGITS if largest == 0 else min(max(DIGITS, 1 - math.floor(math.log10(largest))), 6)


def signed(value: float, digits: int) -> str:
    """'+0.31' or '-0.08'; what rounds to zero has no sign."""
    text = f"{value:+.{digits}f}"
    return text[1:] if float(text) == 0 else text


def reason(parts: Sequence[Part], name: Callable[[int], str], digits: int = DIGITS) -> str:
    """Why an item is recommended, in one line: the items of the history that speak most for it, and the one most against.

    >>> parts = [Part("liked", 0.31, 0), Part("liked", 0.12, 1), Part("disliked", -0.08, 2), Part("disliked", 0.2, 3)]
    >>> reason(parts, "ABCD".__getitem__)
    'because you liked A (+0.31) and disliked D (+0.20); in spite of disliking C (-0.08)'

    Args:
        name: of an item.
    """
    smallest = 0.5 * 10**-digits
    said = sorted((part for part in parts if part.item is not None), key=lambda part: -part.value)
    speaking_for = [part for part in said if part.value >= smallest][:NAMED_FOR]
    smallest = max([smallest, *(WORTH_A_WORD * part.value for part in speaking_for[:1])])
    against = [part for part in reversed(said) if part.value <= -smallest][:NAMED_AGAINST]

    def listed(found: Sequence[Part], verbs: dict[Kind, str]) -> str:
        clauses = []
        for kind, verb in verbs.items():
            items = [f"{name(part.item)} ({signed(part.value, digits)})" for part in found if part.kind == kind]  # type: ignore[arg-type]
            clauses += [f"{verb} {', '.join(items)}"] if items else []
        return " and ".join(clauses)

    clauses = []
    if speaking_for:
        clauses.append("because you " + listed(speaking_for, {"liked": "liked", "disliked": "disliked"}))
    else:
        bias = math.fsum(part.value for part in parts if part.kind == "bias")
        clauses += [f"because of everybody's ratings ({signed(bias, digits)})"] if bias >= smallest else []
    if against:
        clauses.append("in spite of " + listed(against, {"liked": "liking", "disliked": "disliking"}))
    return "; ".join(clauses)
