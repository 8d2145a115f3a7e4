"""What a contribution comes from: item vectors, EASE's weights, or a term; of the overlap, which relation and entities.

The parts of a contribution add up to it, and the part of the overlap is a sum over the relations, each of which is one over the
entities that both items have by it:

    part_overlap(j, c) = sum_relation sum_{e: relation(e) = relation} n^(gamma - 1) · sum_heads share · w_head,relation · F_je F_ce
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from pipeline.common.top_columns import NONE
from pipeline.explain.contributions import Contributions, Explainer
from pipeline.explain.parts import PARTS, Cause, Part
from pipeline.users.model import Model
from pipeline.users.people import Person

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pipeline.users.terms.overlap import Overlap

# Of a contribution, from which the graph is named as its reason even beside a larger part: it is one that a person can check.
TELLING = 1 / 3
VECTORS, CO_RATING, OVERLAP, TOGETHER, POPULARITY = (PARTS.index(name) for name in PARTS)


class MainCauses(NamedTuple):
    """Of some contributions, what most of each comes from, (pairs,) each.

    Attributes:
        part: place in `PARTS`; `NONE` of a contribution of zero.
        relation: place in the names of the graph's relations; `NONE` where the part is not the overlap.
        entity: number in ENTITIES of the one that adds most; likewise.
    """

    part: NDArray[np.int8]
    relation: NDArray[np.int32]
    entity: NDArray[np.int32]


def main_causes(
    parts: NDArray[np.floating],
    items: NDArray[np.int64],
    candidates: NDArray[np.int64],
    overlap: Overlap | None,
    shares: Mapping[str, float],
) -> MainCauses:
    """The largest part with the sign of the whole, where EASE's weights and `together` count as one; the overlap from `TELLING` on.

    Args:
        parts: of contributions of one view, (pairs, PARTS).
        items: of the history, (pairs,); candidates likewise.
        overlap: of the view; None for a model without.
        shares: of the heads in the score.
    """
    total = parts.sum(axis=1)
    sign = np.sign(total)
    towards = parts * sign[:, None]
    rows = np.arange(len(parts))
    larger = np.where(towards[:, CO_RATING] >= towards[:, TOGETHER], CO_RATING, TOGETHER)
    both = towards[:, CO_RATING] + towards[:, TOGETHER]
    telling = towards[:, OVERLAP] >= TELLING * np.abs(total)
    towards[rows, larger] = both
    part = np.where(telling, OVERLAP, towards.argmax(axis=1)).astype(np.int8)
    part[sign == 0] = NONE
    relation, entity = (np.full(len(parts), NONE, dtype=np.int32) for _ in range(2))
    graph = np.flatnonzero(part == OVERLAP)
    if overlap is not None and len(graph):
        around = overlap.known.around
        shared = overlap.shared(items[graph], candidates[graph], shares).tocoo()
        adds = shared.data * sign[graph][shared.row]
        cell = shared.row.astype(np.int64) * len(around.names) + around.relation[shared.col]
        by_relation = np.bincount(cell, adds, len(graph) * len(around.names)).reshape(len(graph), -1)
        best = by_relation.argmax(axis=1)
        relation[graph] = best
        own = np.flatnonzero(around.relation[shared.col] == best[shared.row])
        order = own[np.lexsort((shared.col[own], -adds[own], shared.row[own]))]
        row, first = np.unique(shared.row[order], return_index=True)
        entity[graph[row]] = around.entity[shared.col[order[first]]]
    return MainCauses(part, relation, entity)


class Causes(NamedTuple):
    """What most of each contribution of a person's history comes from.

    Attributes:
        likes: for each candidate, of each like; None of a contribution of zero. Empty rows where the model has but one part.
        dislikes: likewise.
    """

    likes: list[list[Cause | None]]
    dislikes: list[list[Cause | None]]


def main_causes_of(explainer: Explainer, person: Person, candidates: NDArray[np.int64], found: Contributions) -> Causes:
    """
    Args:
        candidates: (candidates,).
        found: contributions to their scores.
    """
    if len(explainer.parts) == 1:
        return Causes([[] for _ in candidates], [[] for _ in candidates])
    sides = []
    for kind, items, parts in (
        ("likes", person.likes, found.parts_of_likes),
        ("dislikes", person.dislikes, found.parts_of_dislikes),
    ):
        values = stacked(parts)
        view = "rated" if "rated" in explainer.views else kind
        overlap = explainer.overlap(view)
        asked = np.repeat(candidates, len(items))
        main = main_causes(
            values.reshape(-1, len(PARTS)), np.tile(items, len(candidates)), asked, overlap, explainer.shares
        )
        causes = [
            None if part == NONE else Cause(PARTS[part], float(of_pair[part]), *_named(overlap, relation, entity))
            for part, relation, entity, of_pair in zip(
                *(one.tolist() for one in main), values.reshape(-1, len(PARTS)), strict=True
            )
        ]
        sides.append([causes[row * len(items) : (row + 1) * len(items)] for row in range(len(candidates))])
    return Causes(*sides)


def _named(overlap: Overlap | None, relation: int, entity: int) -> tuple[str | None, tuple[int, ...]]:
    if overlap is None or relation == NONE:
        return None, ()
    return overlap.known.around.names[relation], (entity,)


def all_causes_of(explainer: Explainer, person: Person, candidate: int, found: Contributions) -> dict[int, list[Cause]]:
    """All that the contribution of each item of a history comes from, the largest first; they add up to it.

    Args:
        found: contributions to the score of this candidate alone.
    """
    causes = {}
    merged = "rated" in explainer.views
    for kind, items, parts in (
        ("likes", person.likes, found.parts_of_likes),
        ("dislikes", person.dislikes, found.parts_of_dislikes),
    ):
        overlap = explainer.overlap("rated" if merged else kind)
        length = len(person.likes) + len(person.dislikes) if merged else len(items)
        for place, item in enumerate(items.tolist()):
            mine = [Cause(part, float(values[0, place])) for part, values in parts.items() if part != "overlap"]
            if overlap is not None:
                mine += by_relation(overlap, item, candidate, length, explainer.shares)
            causes[item] = sorted((cause for cause in mine if cause.value), key=lambda cause: -abs(cause.value))
    return causes


def by_relation(overlap: Overlap, item: int, candidate: int, length: int, shares: Mapping[str, float]) -> list[Cause]:
    """The overlap's part of a contribution, a cause for each relation by which the two share something."""
    around = overlap.known.around
    shared = overlap.shared(np.array([item]), np.array([candidate]), shares)
    values = shared.data * overlap.counted(length)
    found: list[Cause] = []
    for place in np.unique(around.relation[shared.indices]):
        mine = np.flatnonzero(around.relation[shared.indices] == place)
        order = mine[np.argsort(-np.abs(values[mine]), kind="stable")]
        entities = tuple(around.entity[shared.indices[order]].tolist())
        found.append(Cause("overlap", float(values[mine].sum()), around.names[place], entities))
    return found


def stacked(parts: Mapping[Part, NDArray[np.floating]]) -> NDArray[np.floating]:
    """Parts side by side in the order of `PARTS`, zeros for those that a model lacks: one axis more, the last."""
    some = next(iter(parts.values()))
    return np.stack([parts.get(name, np.zeros_like(some)) for name in PARTS], axis=-1)


def relation_names(model: Model) -> tuple[str, ...]:
    """Of the relations that `MainCauses` names by their places; empty for a model that does not read the graph."""
    explainer = Explainer(model)
    overlaps = filter(None, map(explainer.overlap, explainer.views))
    return next((overlap.known.around.names for overlap in overlaps), ())
