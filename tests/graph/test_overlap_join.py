"""The overlap join against all pairs of Python sets, whatever is a hub and however rows are shared out."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from pipeline.common.config import look_up, read_yaml, validated
from pipeline.data.sources.recbole_wheel import RecboleWheelSource
from pipeline.graph import overlap_join as module
from pipeline.graph.item_graph import neighbour_incidence
from pipeline.graph.overlap_join import overlap_join
from pipeline.graph.overlap_walk import CHUNK, compiled_walk
from tests.conftest import ROOT

Sets = list[set[int]]
ENTITIES = 9

sets_of = st.lists(st.sets(st.integers(0, ENTITIES - 1)), min_size=1, max_size=14)
with_a_hub = sets_of.map(lambda sets: [found | {0} for found in sets])


def incidence(sets: Sets, width: int = ENTITIES) -> csr_matrix:
    rows = np.repeat(np.arange(len(sets)), [len(found) for found in sets])
    columns = np.array([entity for found in sets for entity in sorted(found)], dtype=np.int64)
    return csr_matrix((np.ones(len(rows), dtype=np.int32), (rows, columns)), shape=(len(sets), width))


def of_sets(sets: Sets, s_m: int) -> tuple[list[tuple[int, int, int]], list[tuple[int, int, float, int]]]:
    """Edges, and the table of thresholds, by their definition."""
    shared = {pair: len(sets[pair[0]] & sets[pair[1]]) for pair in combinations(range(len(sets)), 2)}
    table = []
    for threshold in range(max(shared.values(), default=0) + 1):
        joined = [pair for pair, overlap in shared.items() if overlap > threshold]
        isolated = len(sets) - len({item for pair in joined for item in pair})
        table.append((threshold, len(joined), len(joined) / max(len(shared), 1), isolated))
    return [(*pair, overlap) for pair, overlap in sorted(shared.items()) if overlap > s_m], table


def found(sets: Sets, s_m: int, hubs: int | None, blocks: int = 1) -> tuple[list[Any], list[Any]]:
    edges, table = overlap_join(incidence(sets), s_m, hubs=hubs, blocks=blocks)
    assert edges.schema == {"source": pl.Int32, "target": pl.Int32, "overlap": pl.Int32}
    assert table.columns == ["s_m", "edges", "density", "isolated_items"]
    return edges.rows(), table.rows()


@settings(max_examples=400, deadline=None, derandomize=True)
@given(sets_of | with_a_hub, st.integers(0, 5), st.none() | st.integers(0, ENTITIES), st.integers(1, 20))
def test_edges_and_thresholds_are_those_of_python_sets(sets: Sets, s_m: int, hubs: int | None, blocks: int) -> None:
    assert found(sets, s_m, hubs, blocks) == of_sets(sets, s_m)


@pytest.mark.parametrize("hubs", [0, 3])
def test_a_walk_that_runs_out_of_room_goes_on(hubs: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "EDGES", 1)
    rooms = []
    original = compiled_walk()

    def spy(first: int, last: int, *given: Any) -> tuple[int, int]:
        stopped, edges = original(first, last, *given)
        rooms.append((stopped < last, edges, given[-1].shape[1]))
        return stopped, edges

    monkeypatch.setattr(module, "compiled_walk", lambda: spy)
    random = np.random.default_rng(0)
    sets: Sets = [set(np.flatnonzero(random.random(ENTITIES) < 0.6).tolist()) for _ in range(40)]
    assert found(sets, 1, hubs) == of_sets(sets, 1)
    assert any(stopped for stopped, _, _ in rooms)
    assert all(edges <= room for _, edges, room in rooms)


@pytest.mark.parametrize("hubs", [None, 0, 4, ENTITIES])
def test_sets_that_are_all_alike_or_all_empty(hubs: int | None) -> None:
    alike: list[Sets] = [[set(range(5))] * 7, [set()] * 4, [{1}], [set(), {1, 2}, set(), {1, 2}]]
    for sets in alike:
        for s_m in (0, 1, 4, 5, 10):
            assert found(sets, s_m, hubs) == of_sets(sets, s_m)


def test_items_without_any_entity_at_all() -> None:
    edges, table = overlap_join(csr_matrix((3, 0), dtype=np.int32), 0)
    assert edges.is_empty()
    assert table.rows() == [(0, 0, 0.0, 3)]


def random_sets(items: int, entities: int, seed: int) -> NDArray[np.bool_]:
    """Shares of the items that fall from nine tenths, as 1 / rank."""
    random = np.random.default_rng(seed)
    return random.random((items, entities)) < 0.9 / np.arange(1, entities + 1) ** 0.8


@pytest.mark.parametrize("hubs", [None, 0, 3, 22])
@pytest.mark.parametrize("s_m", [0, 3, 6])
def test_many_items_with_hubs_against_the_product_of_matrices(hubs: int | None, s_m: int) -> None:
    dense = random_sets(600, 150, seed=s_m)
    shared = np.triu(dense.astype(np.int64) @ dense.T.astype(np.int64), 1)
    edges, table = overlap_join(csr_matrix(dense, dtype=np.int32), s_m, hubs=hubs, blocks=5)
    source, target = np.nonzero(shared > s_m)
    assert edges.rows() == list(zip(source.tolist(), target.tolist(), shared[source, target].tolist(), strict=True))
    assert len(edges) > 10
    assert table["edges"].to_list() == [int((shared > threshold).sum()) for threshold in range(shared.max() + 1)]
    both = shared + shared.T
    assert table["isolated_items"].to_list() == [
        int((both.max(axis=1) <= threshold).sum()) for threshold in range(shared.max() + 1)
    ]


def test_more_than_sixteen_bits_of_neighbours_are_counted() -> None:
    sets = [set(range(70_000)), set(range(70_000)), {1}]
    edges, table = overlap_join(incidence(sets, 70_000), 65_536)
    assert edges.rows() == [(0, 1, 70_000)]
    assert len(table) == 70_001
    assert table.row(0) == (0, 3, 1.0, 0)


def test_an_entity_is_a_hub_where_a_bitmap_costs_less_than_a_list(monkeypatch: pytest.MonkeyPatch) -> None:
    degrees = np.array([20, 3, 50, 19, 1])
    items = 19 * module.LIST_COST
    assert module.chosen_hubs(degrees, items, None).tolist() == [0, 2]
    assert module.chosen_hubs(degrees, items, 3).tolist() == [3, 0, 2]
    assert len(module.chosen_hubs(degrees, items, 9)) == 5
    assert len(module.chosen_hubs(degrees, 20 * module.LIST_COST, None)) == 1
    monkeypatch.setattr(module, "MOST_BITS", items)
    assert module.chosen_hubs(degrees, items, None).tolist() == [2]


def test_items_of_several_chunks_meet() -> None:
    # Those at the ends of chunks and of words have many entities, as hubs or as lists, and all others none.
    random = np.random.default_rng(2)
    ends = [0, 1, 63, 64, CHUNK - 2, CHUNK - 1, CHUNK, CHUNK + 63, CHUNK + 64, 2 * CHUNK - 1, 2 * CHUNK, 2 * CHUNK + 69]
    of_ends = random.random((len(ends), 40)) < 0.7
    rows, columns = np.nonzero(of_ends)
    shape = (2 * CHUNK + 70, 40)
    matrix = csr_matrix((np.ones(len(rows), dtype=np.int32), (np.array(ends)[rows], columns)), shape=shape)
    for s_m in (0, 6, 7, 20):
        expected, _ = of_sets([set(np.flatnonzero(row).tolist()) for row in of_ends], s_m)
        assert len(expected) > 20
        for hubs, blocks in [(None, None), (0, 3), (17, 5), (40, 1)]:
            edges, table = overlap_join(matrix, s_m, hubs=hubs, blocks=blocks)
            assert edges.rows() == [(ends[source], ends[target], overlap) for source, target, overlap in expected]
            assert table["isolated_items"].to_list()[:3] == [shape[0] - len(ends)] * 3


@pytest.mark.parametrize("shared", [1, 7, 8, 15, 16, 33, 100, 300])
def test_sums_of_all_lengths(shared: int) -> None:
    # Two items that share many hubs and some of the rest, beside others that make them hubs.
    sets: Sets = [set(range(shared)) | {400, 401}, set(range(shared)) | {400}, {401}, {500}]
    for hubs in (0, shared // 2, shared, None):
        edges, table = overlap_join(incidence(sets, 501), 1, hubs=hubs)
        assert edges.rows() == [(0, 1, shared + 1)]
        assert table["edges"].to_list() == [2] + [1] * shared + [0]
        assert table["isolated_items"].to_list() == [1] + [2] * shared + [4]


def parts_of(hubs: int, items: int = 300) -> tuple[Any, Any]:
    matrix = csr_matrix(random_sets(items, 60, seed=1), dtype=np.int32)
    degrees = np.bincount(matrix.indices)
    chosen = module.chosen_hubs(degrees, items, hubs)
    return module._lists(matrix, degrees, chosen), module._hubs(matrix, chosen)


@pytest.mark.parametrize("hubs", [0, 2, 60])
def test_rows_are_shared_out_without_gap_or_overlap(hubs: int) -> None:
    lists, of_hubs = parts_of(hubs)
    blocks = module._blocks(lists, of_hubs, 8)
    assert [row for block in blocks for row in block] == list(range(300))
    assert len(blocks) > 5
    costs = []
    for block in blocks:
        met = sum(int(lists.ends[at] - lists.after[at]) for row in block for at in range(*lists.starts[row : row + 2]))
        bits = sum((300 - row) * (int(of_hubs.starts[row + 1] - of_hubs.starts[row]) + 1) for row in block)
        costs.append(module.LIST_COST * met + bits)
    assert max(costs) < 2 * sum(costs) / len(costs)


def test_how_many_blocks_there_are_is_a_matter_of_the_rows_and_not_of_the_machine(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    few = len(module._blocks(*parts_of(2), None))
    assert few <= module.FEWEST_BLOCKS
    monkeypatch.setattr(module, "BLOCK_COST", 100_000)
    many = module._blocks(*parts_of(2), None)
    assert len(many) > few
    monkeypatch.setattr("pipeline.common.side_by_side.cores_here", lambda: 7)
    assert module._blocks(*parts_of(2), None) == many


def test_the_graph_of_the_default_data_set_is_that_of_the_matrix_product(
    recbole_wheel: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("PIP_FIND_LINKS", str(recbole_wheel.parent))
    values = look_up(read_yaml(ROOT / "params.yaml"), ("datasets", "ml-100k", "source"), "params.yaml")
    source = validated(RecboleWheelSource, values, "params.yaml: ")
    tables = source.read()
    items = tables.items.select("item_id").with_row_index("item").cast({"item": pl.Int32})
    matrix = neighbour_incidence(tables.kg, tables.item_entities, items)
    shared = np.triu((matrix @ matrix.T).toarray(), 1)
    edges, table = overlap_join(matrix, 6)
    source_items, targets = np.nonzero(shared > 6)
    np.testing.assert_array_equal(edges["source"].to_numpy(), source_items)
    np.testing.assert_array_equal(edges["target"].to_numpy(), targets)
    np.testing.assert_array_equal(edges["overlap"].to_numpy(), shared[source_items, targets])
    assert len(edges) == 22_495
    assert table["edges"].to_list() == [int((shared > threshold).sum()) for threshold in range(shared.max() + 1)]
