"""Items joined by what few others share."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_matrix

from pipeline.graph.rarity import nearest_by_rarity

# Cosines in float32 may be ordered either way where they differ by less.
EQUAL = 1e-5


def incidence_of_sets(around: list[set[int]]) -> csr_matrix:
    pairs = [(item, entity) for item, entities in enumerate(around) for entity in sorted(entities)]
    rows, columns = zip(*pairs, strict=True) if pairs else ((), ())
    return csr_matrix((np.ones(len(pairs), dtype=np.float32), (rows, columns)), shape=(len(around), 10))


def slow_cosines(around: list[set[int]]) -> list[list[float]]:
    items = len(around)
    spread = {entity: sum(entity in one for one in around) for entity in set().union(*around)}
    idf = {entity: math.log(items / count) for entity, count in spread.items() if count >= 2}
    lengths = [math.sqrt(sum(idf.get(entity, 0.0) ** 2 for entity in one)) for one in around]

    def cosine(one: int, other: int) -> float:
        shared = sum(idf.get(entity, 0.0) ** 2 for entity in around[one] & around[other])
        return shared / (lengths[one] * lengths[other]) if shared and one != other else 0.0

    return [[cosine(one, other) for other in range(items)] for one in range(items)]


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.lists(st.sets(st.integers(0, 9), max_size=6), min_size=2, max_size=12), st.integers(1, 30))
def test_each_item_is_joined_with_those_nearest_to_it_by_rarity(around: list[set[int]], edges: int) -> None:
    items, named = len(around), math.ceil(edges / len(around))
    found = nearest_by_rarity(incidence_of_sets(around), edges)
    joined = {(source, target) for source, target, _ in found.rows()}
    cosines = slow_cosines(around)
    least = [sorted(row, reverse=True)[min(named, items) - 1] for row in cosines]
    for one in range(items):
        for other in range(one + 1, items):
            cosine = cosines[one][other]
            if cosine > EQUAL and (cosine > least[one] + EQUAL or cosine > least[other] + EQUAL):
                assert (one, other) in joined
            if cosine == 0 or cosine < min(least[one], least[other]) - EQUAL:
                assert (one, other) not in joined
    assert len(found) <= named * items
    assert found.rows() == sorted(found.rows())
    assert all(overlap == len(around[source] & around[target]) for source, target, overlap in found.rows())


def test_of_equal_items_those_that_come_first_are_named() -> None:
    # Four items are alike; each names one of them, the first that it is not itself.
    found = nearest_by_rarity(incidence_of_sets([{0}, {0}, {0}, {0}, {1}, {1}]), edges=6)
    assert found.rows() == [(0, 1, 1), (0, 2, 1), (0, 3, 1), (4, 5, 1)]
