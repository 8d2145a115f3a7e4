"""Effective rank, link AUC and sampled non-edges against their definitions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.common.vector_health import collapse_warning, effective_rank, link_auc, sampled_non_edges
from tests.graphs import matrix, two_communities


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.integers(1, 12), st.integers(1, 6), st.integers(0, 1000))
def test_the_effective_rank_is_the_entropy_of_the_singular_values(rows: int, width: int, seed: int) -> None:
    vectors = np.random.default_rng(seed).normal(size=(rows, width)).astype(np.float32)
    singular = np.linalg.svd(vectors.astype(np.float64), compute_uv=False)
    entropy = 0.0
    for value in singular:
        share = value / sum(singular)
        entropy -= share * np.log(share)
    assert effective_rank(vectors) == pytest.approx(np.exp(entropy), rel=1e-5)


def test_orthogonal_vectors_use_every_direction_and_equal_ones_a_single_one() -> None:
    assert effective_rank(np.eye(5)) == pytest.approx(5)
    assert effective_rank(np.tile([[3.0, -1.0, 2.0]], (7, 1))) == pytest.approx(1, abs=1e-5)
    assert effective_rank(np.zeros((4, 3))) == 0


def test_only_collapsed_vectors_are_warned_of() -> None:
    assert collapse_warning(np.eye(5), "init_sdne (sdne)") == []
    random = np.random.default_rng(0)
    (warning,) = collapse_warning(1 + 0.01 * random.normal(size=(50, 8)), "init_sdne (sdne)")
    assert warning.startswith("init_sdne (sdne): effective rank 1.")
    assert "below 2" in warning
    assert "every item looks alike" in warning


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.lists(st.integers(0, 4), min_size=1, max_size=8), st.lists(st.integers(0, 4), min_size=1, max_size=8))
def test_the_link_auc_is_the_share_of_pairs_in_order_with_ties_half(edges: list[int], others: list[int]) -> None:
    won = sum((edge > other) + (edge == other) / 2 for edge in edges for other in others)
    assert link_auc(np.array(edges, float), np.array(others, float)) == pytest.approx(won / len(edges) / len(others))


@pytest.mark.parametrize("count", [1, 20, 100])
def test_sampled_non_edges_are_distinct_pairs_without_an_edge(count: int) -> None:
    edges = two_communities(size=8, across=0.1)
    adjacency = matrix(edges, 18)
    sources, targets = sampled_non_edges(adjacency, count, np.random.default_rng(1))
    pairs = list(zip(sources.tolist(), targets.tolist(), strict=True))
    assert len(set(pairs)) == len(pairs) == count
    dense = adjacency.toarray()
    assert all(left != right and not dense[left, right] for left, right in pairs)
    assert max(max(pair) for pair in pairs) < 18


def test_non_edges_are_spread_over_the_whole_graph() -> None:
    sources, targets = sampled_non_edges(matrix(two_communities(), 33), 200, np.random.default_rng(1))
    assert len({*sources.tolist()}) == len({*targets.tolist()}) == 33


def test_a_nearly_complete_graph_gives_the_few_non_edges_it_has() -> None:
    edges = two_communities(size=3, inside=1.0, across=1.0)
    cut = matrix(edges.slice(1), 6)
    sources, targets = sampled_non_edges(cut, 50, np.random.default_rng(1))
    assert sorted(zip(sources.tolist(), targets.tolist(), strict=True)) == [(0, 1), (1, 0)]
    assert len(sampled_non_edges(matrix(edges, 6), 50, np.random.default_rng(1))[0]) == 1
