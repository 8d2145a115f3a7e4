"""Diversity of lists against the cosine of every pair."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from pipeline.evaluation.comparison.suite import ComparisonConfig, alone, compare_systems
from pipeline.evaluation.metrics.registry import GRAPH_DIVERSITY, TEXT_DIVERSITY
from pipeline.evaluation.systems.diversity import diversity, with_diversity
from pipeline.evaluation.systems.several import Systems
from pipeline.evaluation.systems.system import evaluate_system
from tests.evaluation.worlds import planted_dataset, without_ties

USERS, ITEMS = 40, 60
DATA = planted_dataset(USERS, ITEMS)


def slow(items: list[int], vectors: np.ndarray[Any, Any]) -> float | None:
    known = [vectors[item] for item in items if np.linalg.norm(vectors[item])]
    cosines = [a @ b / np.linalg.norm(a) / np.linalg.norm(b) for a, b in combinations(known, 2)]
    return float(1 - np.mean(cosines)) if cosines else None


def random_vectors(kind: str) -> np.ndarray[Any, Any]:
    """A third of the items has none."""
    random = np.random.default_rng(3)
    vectors = random.normal(size=(ITEMS, 8)) if kind == "text" else (random.random((ITEMS, 30)) < 0.2).astype(float)
    vectors[random.random(ITEMS) < 0.3] = 0
    return vectors.astype(np.float64)


@pytest.mark.parametrize("kind", ["text", "graph"])
def test_it_is_one_minus_the_mean_cosine_of_the_pairs_that_something_is_known_of(kind: str) -> None:
    vectors = random_vectors(kind)
    random = np.random.default_rng(5)
    lists = [random.choice(ITEMS, size=size, replace=False).tolist() for size in (10, 10, 3, 2, 1)]
    empty = np.flatnonzero(~vectors.any(axis=1))[:4].tolist()
    lists += [empty, [*empty, int(np.flatnonzero(vectors.any(axis=1))[0])]]
    listed = csr_matrix(np.array([[item in items for item in range(ITEMS)] for items in lists], dtype=np.float32))
    found = diversity(listed, csr_matrix(vectors) if kind == "graph" else vectors)
    expected = [slow(items, vectors) for items in lists]
    assert [bool(np.isnan(value)) for value in found] == [value is None for value in expected]
    known = [value for value in expected if value is not None]
    np.testing.assert_allclose(found[~np.isnan(found)], known, rtol=1e-9)


def test_items_alike_have_none_and_items_with_nothing_in_common_have_one() -> None:
    listed = csr_matrix(np.array([[1, 1, 0, 0], [0, 0, 1, 1]], dtype=np.float32))
    vectors = np.array([[1.0, 2.0], [2.0, 4.0], [1.0, 0.0], [0.0, 3.0]])
    np.testing.assert_allclose(diversity(listed, vectors), [0.0, 1.0], atol=1e-12)


def test_a_system_has_the_mean_over_its_users_and_comparison_shows_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.evaluation.systems.diversity.BLOCK_USERS", 7)
    text, graph = random_vectors("text").astype(np.float32), random_vectors("graph")
    parts = [evaluate_system(name, without_ties(USERS, ITEMS, seed), DATA) for seed, name in enumerate(["b", "a"])]
    systems = Systems.joined(parts)
    vectors = {TEXT_DIVERSITY: text, GRAPH_DIVERSITY: csr_matrix(graph)}
    found = with_diversity(systems, vectors, ITEMS)
    compared = compare_systems(found, DATA, [(alone(["b", "a"]), {})], ComparisonConfig(bootstrap_samples=20), 0)
    for system in ("b", "a"):
        lists = systems.lists[system].group_by("user").agg("item").sort("user")["item"].to_list()
        assert {len(items) for items in lists} == {10}
        for name, of_items in ((TEXT_DIVERSITY, text), (GRAPH_DIVERSITY, graph)):
            values = [value for items in lists if (value := slow(items, of_items)) is not None]
            assert compared.as_nested()[system]["ranking"][name] == pytest.approx(np.mean(values), abs=1e-5)
    # Of what nothing is known there is no figure.
    none = with_diversity(systems, {TEXT_DIVERSITY: np.zeros((ITEMS, 4), dtype=np.float32)}, ITEMS)
    assert none.facts == systems.facts
    assert not any("diversity" in fact for facts in none.facts.values() for fact in facts)
