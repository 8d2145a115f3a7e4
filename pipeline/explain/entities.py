"""A score by what a person's history and an item share in the graph: a group for each relation and entity, and one for all the rest.

    score = sum_(relation, entity) sum_{j in history that has it} part_overlap(j, c; relation, entity) + what is not of the graph

It is the sum over the history, in another order.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from pipeline.explain.contributions import Contributions, Explainer
from pipeline.users.people import Person


class Shared(NamedTuple):
    """
    Attributes:
        relation: by which both have the entity, name of the graph's.
        entity: number in ENTITIES.
        value: what all items of the history add that have it.
        by_item: each of these items to what it adds, the largest first.
    """

    relation: str
    entity: int
    value: float
    by_item: Mapping[int, float]


class ByEntity(NamedTuple):
    """
    Attributes:
        shared: the largest first, whatever its sign.
        rest: all that is not of the graph; with the values of `shared` it adds up to the score.
    """

    shared: list[Shared]
    rest: float


def by_entity(explainer: Explainer, person: Person, candidate: int, found: Contributions) -> ByEntity:
    """
    Args:
        found: contributions to the score of this candidate alone.
    """
    merged = "rated" in explainer.views
    groups: dict[tuple[str, int], dict[int, float]] = {}
    for kind, items in (("likes", person.likes), ("dislikes", person.dislikes)):
        overlap = explainer.overlap("rated" if merged else kind)
        if overlap is None or not len(items):
            continue
        around = overlap.known.around
        told = overlap.shared(items, np.full(len(items), candidate), explainer.shares).tocoo()
        counted = overlap.counted(len(person.likes) + len(person.dislikes) if merged else len(items))
        for row, column, value in zip(told.row.tolist(), told.col.tolist(), told.data.tolist(), strict=True):
            of_items = groups.setdefault((around.names[around.relation[column]], int(around.entity[column])), {})
            of_items[int(items[row])] = value * counted
    shared = [
        Shared(relation, entity, sum(of_items.values()), dict(sorted(of_items.items(), key=lambda one: -abs(one[1]))))
        for (relation, entity), of_items in groups.items()
    ]
    parts = [*found.parts_of_likes.items(), *found.parts_of_dislikes.items()]
    rest = float(sum(values.sum() for part, values in parts if part != "overlap") + found.bias.sum())
    return ByEntity(sorted(shared, key=lambda one: (-abs(one.value), one.relation, one.entity)), rest)
