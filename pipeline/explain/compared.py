"""Two items' scores for one person beside each other: what the one has of each part of the model, and the other has not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from pipeline.explain.contributions import Contributions, Kind


class Compared(NamedTuple):
    """One part of two scores.

    Attributes:
        kind: whether it comes of what is liked, of what is disliked, or of the item itself.
        part: of the model; of an item itself the head whose bias it is.
        value: what it adds to the one score.
        other: what it adds to the other.
    """

    kind: Kind
    part: str
    value: float
    other: float

    @property
    def difference(self) -> float:
        return self.value - self.other


def compared(found: Contributions, row: int, others: Contributions, place: int) -> list[Compared]:
    """All parts of two scores; the values add up to the one, what stands beside them to the other.

    Args:
        row: of the one item; place: of the other.
    """
    mine, theirs = _by_part(found, row), _by_part(others, place)
    return [Compared(*key, value, theirs[key]) for key, value in mine.items()]


def _by_part(found: Contributions, row: int) -> Mapping[tuple[Kind, str], float]:
    of_likes = {("like", part): float(values[row].sum()) for part, values in found.parts_of_likes.items()}
    of_dislikes = {("dislike", part): float(values[row].sum()) for part, values in found.parts_of_dislikes.items()}
    of_itself = {("bias", head): float(values[row]) for head, values in found.biases.items()}
    return {**of_likes, **of_dislikes, **of_itself}  # type: ignore[dict-item]
