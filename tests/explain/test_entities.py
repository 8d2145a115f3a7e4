"""Groups by entity: those of loops over the graph's triples, and all of them add up to the score."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings

from pipeline.explain.contributions import Explainer, contributions_of
from pipeline.explain.entities import by_entity
from pipeline.users.people import Person
from tests.explain.test_causes import READING, SEVERAL, shared
from tests.explain.test_contributions import doubled, people

CANDIDATE = 9


@pytest.mark.parametrize("name", sorted({*READING, *SEVERAL}))
@given(somebody=people())
@settings(max_examples=5, deadline=None)
def test_groups_are_what_is_shared_and_all_of_them_add_up_to_the_score(name: str, somebody: Person) -> None:
    of, somebody = doubled(name), somebody.without(CANDIDATE)
    found = contributions_of(of, somebody, np.array([CANDIDATE]))
    groups = by_entity(Explainer(of), somebody, CANDIDATE, found)
    assert sum(one.value for one in groups.shared) + groups.rest == pytest.approx(found.score[0], abs=1e-7)
    values = [abs(one.value) for one in groups.shared]
    assert values == sorted(values, reverse=True)
    if name not in READING:
        assert groups.shared == []
        return
    merged = "rated" in of.scorer.views
    rated = [*somebody.likes.tolist(), *somebody.dislikes.tolist()]
    expected: dict[tuple[str, int], dict[int, float]] = {}
    for kind, items in (("likes", somebody.likes.tolist()), ("dislikes", somebody.dislikes.tolist())):
        if merged or kind in of.scorer.views:
            for item in items:
                for pair, value in shared(name, kind, rated if merged else items, item, CANDIDATE).items():
                    expected.setdefault(pair, {})[item] = value
    assert {(one.relation, one.entity): dict(one.by_item) for one in groups.shared} == {
        pair: pytest.approx(of_items, abs=1e-7) for pair, of_items in expected.items()
    }
    for one in groups.shared:
        assert one.value == pytest.approx(sum(one.by_item.values()))


@pytest.mark.parametrize("name", READING)
def test_of_nobody_there_is_nothing_but_what_holds_for_anybody(name: str) -> None:
    of, nobody = doubled(name), Person(np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64))
    found = contributions_of(of, nobody, np.array([CANDIDATE]))
    groups = by_entity(Explainer(of), nobody, CANDIDATE, found)
    assert groups.shared == []
    assert groups.rest == pytest.approx(found.score[0])
