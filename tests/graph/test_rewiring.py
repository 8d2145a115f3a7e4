"""Random graphs with the degrees of a given one."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.graph.rewiring import rewired


def random_edges(items: int, share: float, seed: int) -> pl.DataFrame:
    random = np.random.default_rng(seed)
    pairs = [pair for pair in combinations(range(items), 2) if random.random() < share]
    schema = {"source": pl.Int32, "target": pl.Int32, "overlap": pl.Int32}
    rows_of = [(left, right, int(random.integers(1, 9))) for left, right in pairs]
    return pl.DataFrame(rows_of, schema=schema, orient="row")


def degrees(edges: pl.DataFrame, items: int) -> list[int]:
    return np.bincount(np.r_[edges["source"].to_numpy(), edges["target"].to_numpy()], minlength=items).tolist()


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.integers(2, 14), st.floats(0.15, 1.0), st.integers(0, 1000))
def test_a_rewired_graph_keeps_every_items_number_of_edges_without_loops_and_double_edges(
    items: int, share: float, seed: int
) -> None:
    edges = random_edges(items, share, seed)
    if edges.is_empty():
        return
    found = rewired(edges, np.random.default_rng(seed))
    assert found.schema == edges.schema
    assert degrees(found, items) == degrees(edges, items)
    pairs = [(source, target) for source, target, _ in found.rows()]
    assert all(source < target for source, target in pairs)
    assert len(set(pairs)) == len(pairs) == len(edges)
    assert pairs == sorted(pairs)
    assert sorted(found["overlap"].to_list()) == sorted(edges["overlap"].to_list())


def test_a_rewired_graph_has_hardly_an_edge_of_the_old_one_left_and_follows_its_generator() -> None:
    edges = random_edges(200, 0.03, 0)
    before = {(source, target) for source, target, _ in edges.rows()}
    first, again, other = (rewired(edges, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert first.equals(again)
    assert not first.equals(other)
    left = len(before & {(source, target) for source, target, _ in first.rows()})
    # A random graph of this density shares 3% of its edges by chance.
    assert left / len(before) < 0.1


def test_where_no_edge_can_be_swapped_the_graph_stays_as_it_is() -> None:
    for edges in (random_edges(5, 1.0, 0), random_edges(2, 1.0, 0)):
        assert (
            rewired(edges, np.random.default_rng(0)).select("source", "target").equals(edges.select("source", "target"))
        )


def test_either_end_of_an_edge_is_swapped() -> None:
    # All edges lead from the first half of the items to the second. With one kind of swap alone they would stay that way.
    random = np.random.default_rng(0)
    pairs = [(left, right) for left in range(50) for right in range(50, 100) if random.random() < 0.1]
    schema = {"source": pl.Int32, "target": pl.Int32, "overlap": pl.Int32}
    edges = pl.DataFrame([(*pair, 1) for pair in pairs], schema=schema, orient="row")
    across = [source < 50 <= target for source, target, _ in rewired(edges, random).rows()]
    assert np.mean(across) == pytest.approx(0.5, abs=0.1)
