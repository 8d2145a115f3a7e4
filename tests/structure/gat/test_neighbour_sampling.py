"""Neighbours, samples and blocks against Python sets."""

from __future__ import annotations

from collections import Counter
from itertools import combinations

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from pipeline.structure.gat.neighbour_sampling import Block, Neighbours
from tests.graphs import directed

Edges = list[tuple[int, int]]


@st.composite
def graphs(draw: st.DrawFn) -> tuple[int, Edges]:
    items = draw(st.integers(1, 9))
    pairs = list(combinations(range(items), 2))
    return items, draw(st.lists(st.sampled_from(pairs), unique=True)) if pairs else []


def index(edges: Edges, seed: int = 0) -> NDArray[np.int64]:
    """Both directions, in any order."""
    frame = pl.DataFrame(edges, schema={"source": pl.Int64, "target": pl.Int64}, orient="row")
    both = directed(frame)
    return both[:, np.random.default_rng(seed).permutation(both.shape[1])]


def sets(items: int, edges: Edges) -> list[set[int]]:
    return [{a + b - item for a, b in edges if item in (a, b)} for item in range(items)]


def read_by(block: Block) -> list[list[int]]:
    """The items that each target reads, by their own numbers."""
    return [block.sources[block.edges[0][block.edges[1] == target]].tolist() for target in range(block.targets)]


@given(graphs(), st.integers(0, 10), st.integers(0, 100), st.data())
def test_a_sample_has_up_to_so_many_different_neighbours(
    graph: tuple[int, Edges], size: int, seed: int, data: st.DataObject
) -> None:
    items, edges = graph
    nodes = np.array(data.draw(st.lists(st.integers(0, items - 1), min_size=1, unique=True)))
    block = Neighbours(index(edges), items).sampled(nodes, size, np.random.default_rng(seed))
    assert block.targets == len(nodes)
    assert block.sources[: len(nodes)].tolist() == nodes.tolist()
    others = block.sources[len(nodes) :].tolist()
    assert others == sorted(set(others) - set(nodes.tolist()))
    assert set(others) <= {item for read in read_by(block) for item in read}, "nothing is read in vain"
    for node, read in zip(nodes, read_by(block), strict=True):
        have = sets(items, edges)[node]
        assert set(read) <= have
        assert len(set(read)) == len(read) == (min(size, len(have)) if size else len(have))


def test_every_sample_is_as_likely() -> None:
    neighbours = Neighbours(index([(0, other) for other in range(1, 6)]), 6)
    random = np.random.default_rng(0)
    met = Counter(tuple(sorted(read_by(neighbours.sampled(np.array([0]), 3, random))[0])) for _ in range(2000))
    assert len(met) == 10
    # 2000 draws with chance 1/10: 200 and a standard deviation of 13.
    assert all(abs(count - 200) < 60 for count in met.values())


@given(graphs(), st.integers(1, 40))
def test_blocks_are_all_items_in_order_with_all_their_neighbours(graph: tuple[int, Edges], size: int) -> None:
    items, edges = graph
    met: list[int] = []
    for block in Neighbours(index(edges), items).blocks(size):
        nodes = block.sources[: block.targets].tolist()
        met += nodes
        assert len(nodes) == 1 or block.edges.shape[1] + len(nodes) <= size
        for node, read in zip(nodes, read_by(block), strict=True):
            assert sorted(read) == sorted(sets(items, edges)[node])
    assert met == list(range(items))


@given(graphs())
def test_joined_is_whether_there_is_an_edge(graph: tuple[int, Edges]) -> None:
    items, edges = graph
    left, right = (part.ravel() for part in np.indices((items, items)))
    found = Neighbours(index(edges), items).joined(left, right)
    assert found.tolist() == [b in sets(items, edges)[a] for a, b in zip(left, right, strict=True)]


@pytest.mark.parametrize("size", [0, 3])
def test_the_order_of_the_edges_makes_no_difference(size: int) -> None:
    edges = [(a, b) for a, b in combinations(range(8), 2) if (a * b) % 3]
    blocks = [
        Neighbours(index(edges, seed), 8).sampled(np.arange(8), size, np.random.default_rng(1)) for seed in (0, 1)
    ]
    for left, right in zip(*blocks, strict=True):
        np.testing.assert_array_equal(left, right)
