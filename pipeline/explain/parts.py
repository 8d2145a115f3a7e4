"""The parts of a contribution by name, without PyTorch: who computes them and who puts them in words share them."""

from __future__ import annotations

from typing import Literal, NamedTuple, get_args

# What says how much an item of the history counts for a candidate: item vectors, EASE's weights, or a term.
Part = Literal["vectors", "co_rating", "overlap", "together", "popularity"]
PARTS: tuple[Part, ...] = get_args(Part)


class Cause(NamedTuple):
    """What a contribution comes from, or some of it.

    Attributes:
        part: of the model.
        value: what it adds.
        relation: name of the graph's, where the part is the overlap.
        entities: what both items have by it, numbers in ENTITIES, what adds most first.
    """

    part: Part
    value: float
    relation: str | None = None
    entities: tuple[int, ...] = ()
