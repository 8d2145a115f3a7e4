"""What contributions come from: relations and entities by loops over the graph's triples, and the one that is named."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings

from pipeline.common.top_columns import NONE
from pipeline.explain.causes import TELLING, all_causes_of, main_causes, main_causes_of, relation_names
from pipeline.explain.contributions import Explainer, contributions_of
from pipeline.explain.parts import PARTS
from pipeline.explain.strongest import strongest_contributions
from pipeline.users.people import Person, histories_of
from pipeline.users.shares import head_shares
from tests.explain.test_contributions import ITEMS, VARIANTS, doubled, people, person
from tests.users.knowing import Pair, random_relations, slow_surroundings

READING = [name for name, variant in VARIANTS.items() if "overlap" in variant.terms]
SEVERAL = [name for name, variant in VARIANTS.items() if variant.terms or variant.co_rating_l2]


def shared(name: str, kind: str, history: list[int], item: int, candidate: int) -> dict[Pair, float]:
    """What each relation and entity that two items share adds to the score."""
    of = doubled(name)
    term = of.scorer.terms_of("rated" if "rated" in of.scorer.views else kind)["overlap"]
    names = relation_names(of)
    rows = slow_surroundings(random_relations(ITEMS), ITEMS)
    counted = len(history) ** (float(term.exponent) - 1)
    return {
        pair: counted
        * sum(share * float(term.weights[head][names.index(pair[0])]) for head, share in head_shares(of).items())  # type: ignore[index]
        * weight
        * rows[candidate][pair]
        for pair, weight in rows[item].items()
        if pair in rows[candidate]
    }


@pytest.mark.parametrize("name", READING)
@given(somebody=people())
@settings(max_examples=5, deadline=None)
def test_causes_add_up_and_those_of_the_graph_are_its_relations_and_entities(name: str, somebody: Person) -> None:
    of, candidate = doubled(name), 9
    somebody = somebody.without(candidate)
    found = contributions_of(of, somebody, np.array([candidate]))
    causes = all_causes_of(Explainer(of), somebody, candidate, found)
    merged = "rated" in of.scorer.views
    rated = [*somebody.likes.tolist(), *somebody.dislikes.tolist()]
    for kind, items, values in (
        ("likes", somebody.likes.tolist(), found.likes[0]),
        ("dislikes", somebody.dislikes.tolist(), found.dislikes[0]),
    ):
        for item, value in zip(items, values.tolist(), strict=True):
            assert sum(cause.value for cause in causes[item]) == pytest.approx(value, abs=1e-7)
            sizes = [abs(cause.value) for cause in causes[item]]
            assert sizes == sorted(sizes, reverse=True)
            if not merged and kind not in of.scorer.views:
                assert causes[item] == []
                continue
            expected = shared(name, kind, rated if merged else items, item, candidate)
            told = {cause.relation: cause for cause in causes[item] if cause.part == "overlap"}
            assert told.keys() == {relation for relation, _ in expected}
            for relation, cause in told.items():
                mine = {entity: adds for (by, entity), adds in expected.items() if by == relation}
                assert cause.value == pytest.approx(sum(mine.values()), abs=1e-7)
                assert sorted(cause.entities) == sorted(mine)
                adds = [abs(mine[entity]) for entity in cause.entities]
                assert adds == pytest.approx(sorted(adds, reverse=True), rel=1e-5)


@pytest.mark.parametrize("name", SEVERAL)
@given(somebody=people())
@settings(max_examples=5, deadline=None)
def test_the_main_cause_is_the_largest_in_the_direction_of_the_whole_and_the_graph_from_a_third_on(
    name: str, somebody: Person
) -> None:
    of, candidates = doubled(name), np.array([9, 4])
    somebody = somebody.without(9).without(4)
    found = contributions_of(of, somebody, candidates)
    main = main_causes_of(Explainer(of), somebody, candidates, found)
    for row, candidate in enumerate(candidates.tolist()):
        for kind, items, whole, parts, told in (
            ("likes", somebody.likes.tolist(), found.likes, found.parts_of_likes, main.likes),
            ("dislikes", somebody.dislikes.tolist(), found.dislikes, found.parts_of_dislikes, main.dislikes),
        ):
            for place, (item, cause) in enumerate(zip(items, told[row], strict=True)):
                total = float(whole[row, place])
                if not total:
                    assert cause is None
                    continue
                assert cause is not None
                mine = {part: float(values[row, place]) * np.sign(total) for part, values in parts.items()}
                graph = mine.get("overlap", 0.0)
                both = [mine.pop(part) for part in ("co_rating", "together") if part in mine]
                if both:
                    mine["both"] = sum(both)
                largest = "overlap" if graph >= abs(total) * TELLING else max(mine, key=mine.__getitem__)
                if largest == "both":
                    assert cause.part in ("co_rating", "together")
                    assert parts[cause.part][row, place] * np.sign(total) == pytest.approx(max(both))
                else:
                    assert cause.part == largest
                assert cause.value == pytest.approx(float(parts[cause.part][row, place]))
                if cause.part != "overlap":
                    assert cause[2:] == (None, ())
                    continue
                history = items if kind in of.scorer.views else somebody.likes.tolist() + somebody.dislikes.tolist()
                adds = shared(name, kind, history, item, candidate)
                by_relation: dict[str, float] = {}
                for (relation, _), value in adds.items():
                    by_relation[relation] = by_relation.get(relation, 0.0) + value * float(np.sign(total))
                assert by_relation[str(cause.relation)] == pytest.approx(max(by_relation.values()), rel=1e-5)
                of_relation = {
                    entity: value * np.sign(total) for (by, entity), value in adds.items() if by == cause.relation
                }
                assert of_relation[cause.entities[0]] == pytest.approx(max(of_relation.values()), rel=1e-5)


@pytest.mark.parametrize("name", VARIANTS)
def test_the_strongest_of_many_have_the_main_causes_of_each_alone(name: str) -> None:
    of, everybody = doubled(name), [person([1, 2, 3, 8], [4, 5]), person([7], []), person([], [8, 0])]
    candidates = np.array([[9, 12], [10, NONE], [11, 6]], dtype=np.int32)
    explainer, names = Explainer(of), relation_names(of)
    with torch.inference_mode():
        told = strongest_contributions(explainer, explainer.weighed(*histories_of(everybody, "cpu")), candidates, 2)
    named = 0
    for user, somebody in enumerate(everybody):
        for row, candidate in enumerate(candidates[user].tolist()):
            if candidate == NONE:
                continue
            asked = np.array([candidate])
            found = contributions_of(of, somebody, asked)
            main = main_causes_of(explainer, somebody, asked, found)
            causes = dict(zip(somebody.likes.tolist(), main.likes[0], strict=False))
            causes |= dict(zip(somebody.dislikes.tolist(), main.dislikes[0], strict=False))
            for item, part, relation, entity in zip(
                *(one[user, row].tolist() for one in (told.items, *told.causes)), strict=True
            ):
                cause = causes.get(item)
                if cause is None:
                    assert (part, relation, entity) == (NONE, NONE, NONE)
                    continue
                named += 1
                assert PARTS[part] == cause.part
                assert (relation == NONE) == (cause.relation is None)
                if cause.relation is not None:
                    assert (names[relation], entity) == (cause.relation, cause.entities[0])
    assert bool(named) == (name in SEVERAL)


def test_a_contribution_of_nothing_has_no_cause() -> None:
    found = main_causes(np.zeros((1, len(PARTS))), np.array([1]), np.array([2]), None, {})
    assert [one.tolist() for one in found] == [[NONE], [NONE], [NONE]]


@pytest.mark.parametrize(
    ("parts", "main"),
    [
        ({"vectors": 0.5, "co_rating": 0.3, "together": 0.4}, "together"),
        ({"vectors": 0.8, "co_rating": 0.3, "together": 0.4}, "vectors"),
        ({"vectors": -0.5, "co_rating": -0.4, "together": -0.3, "popularity": 0.1}, "co_rating"),
        # Against each other they count as what is left of them.
        ({"vectors": 0.5, "co_rating": 0.6, "together": -0.3}, "vectors"),
        ({"vectors": 0.6, "overlap": 0.36}, "overlap"),
        ({"vectors": 0.7, "overlap": 0.34}, "vectors"),
        ({"vectors": -0.9, "overlap": 0.8}, "vectors"),
        ({"vectors": 0.4, "overlap": -0.3, "popularity": 0.5}, "popularity"),
    ],
)
def test_a_contribution_is_named_by_its_main_part(parts: dict[str, float], main: str) -> None:
    row = np.array([[parts.get(part, 0.0) for part in PARTS]])
    found = main_causes(row, np.array([1]), np.array([2]), None, {})
    assert [PARTS[part] for part in found.part] == [main]
