"""The item graph against Python sets."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.common.errors import InputError
from pipeline.graph.item_graph import ItemGraph, build_item_graph, neighbour_incidence, refuse_without_edges
from pipeline.graph.matrices import adjacency, edge_index, incidence_of
from pipeline.graph.settings import ItemGraphConfig
from pipeline.graph.triples import triples_around

ENTITIES = [f"m.{number}" for number in range(7)]
ITEMS = 6

triples_of = st.lists(
    st.tuples(st.sampled_from(ENTITIES), st.sampled_from(["genre", "actor"]), st.sampled_from(ENTITIES)), max_size=40
)
# Several entities to an item and several items to an entity occur, as do items without one.
links_of = st.lists(st.tuples(st.integers(0, ITEMS - 1), st.sampled_from(ENTITIES)), max_size=12, unique=True)

Triples = list[tuple[str, str, str]]
Links = list[tuple[int, str]]


def tables(triples: Triples, links: Links, items: int = ITEMS) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    names = [f"item {index}" for index in range(items)]
    kg = pl.DataFrame(triples, schema={"head": pl.String, "relation": pl.String, "tail": pl.String}, orient="row")
    linked = pl.DataFrame(
        {"item_id": [names[item] for item, _ in links], "entity_id": [entity for _, entity in links]},
        schema={"item_id": pl.String, "entity_id": pl.String},
    )
    return kg, linked, pl.DataFrame({"item": range(items), "item_id": names}, schema_overrides={"item": pl.Int32})


def neighbours(triples: Triples, links: Links, left_out: list[str], items: int = ITEMS) -> list[set[str]]:
    """N_i by its definition: entities that share a triple with an entity of the item, in either direction."""
    found: list[set[str]] = [set() for _ in range(items)]
    for item, entity in links:
        for head, relation, tail in triples:
            if relation in left_out or head == tail:
                continue
            if head == entity:
                found[item].add(tail)
            if tail == entity:
                found[item].add(head)
    return found


def overlaps(sets: list[set[str]]) -> dict[tuple[int, int], int]:
    return {(left, right): len(sets[left] & sets[right]) for left, right in combinations(range(len(sets)), 2)}


def build(triples: Triples, links: Links, s_m: int, left_out: list[str] | None = None, items: int = ITEMS) -> ItemGraph:
    return build_item_graph(
        *tables(triples, links, items), ItemGraphConfig(s_m=s_m, leave_out_relations=left_out or [])
    )


def rows(frame: pl.DataFrame) -> list[tuple[int, ...]]:
    return [tuple(row) for row in frame.iter_rows()]


@settings(max_examples=120, deadline=None, derandomize=True)
@given(triples_of, links_of, st.integers(0, 3), st.sampled_from([[], ["actor"]]))
def test_edges_and_thresholds_are_those_of_python_sets(
    triples: Triples, links: Links, s_m: int, left_out: list[str]
) -> None:
    left_out = [relation for relation in left_out if any(relation == triple[1] for triple in triples)]
    sets = neighbours(triples, links, left_out)
    shared = overlaps(sets)
    expected = [(left, right, count) for (left, right), count in sorted(shared.items()) if count > s_m]
    if not any(sets) and triples:
        with pytest.raises(InputError, match="found no triple about any linked item"):
            build(triples, links, s_m, left_out)
        return
    graph = build(triples, links, s_m, left_out)
    assert rows(graph.edges) == expected
    assert graph.items == ITEMS
    table = []
    for threshold in range(max(shared.values(), default=0) + 1):
        joined = [pair for pair, count in shared.items() if count > threshold]
        isolated = ITEMS - len({item for pair in joined for item in pair})
        table.append((threshold, len(joined), len(joined) / (ITEMS * (ITEMS - 1) / 2), isolated))
    assert rows(graph.thresholds) == table
    chosen = table[s_m][1:] if s_m < len(table) else (0, 0.0, ITEMS)
    assert (len(graph.edges), graph.density, graph.isolated_items) == chosen


# Items 0 and 1 share x, y and z; item 2 shares x with both; item 3 has no entity.
FILMS: Links = [(0, "a"), (1, "b"), (2, "c")]
FACTS: Triples = [
    *[("a", "genre", "x"), ("a", "genre", "y"), ("z", "genre", "a")],
    *[("b", "genre", "x"), ("y", "actor", "b"), ("b", "genre", "z")],
    ("c", "actor", "x"),
]


def test_the_threshold_is_strict() -> None:
    assert rows(build(FACTS, FILMS, 2, items=4).edges) == [(0, 1, 3)]
    assert rows(build(FACTS, FILMS, 3, items=4).edges) == []


def test_both_directions_of_a_triple_count() -> None:
    assert rows(build(FACTS, FILMS, 0, items=4).edges) == [(0, 1, 3), (0, 2, 1), (1, 2, 1)]


def test_an_entity_met_twice_counts_once() -> None:
    again = [*FACTS, ("a", "genre", "x"), ("x", "genre", "a"), ("b", "actor", "x"), ("x", "actor", "b")]
    assert rows(build(again, FILMS, 0, items=4).edges) == rows(build(FACTS, FILMS, 0, items=4).edges)


def test_a_triple_from_an_entity_to_itself_joins_nothing() -> None:
    shared_entity: Links = [(0, "a"), (1, "a"), (2, "c")]
    graph = build([("a", "genre", "a"), ("a", "genre", "x"), ("c", "genre", "x")], shared_entity, 0, items=3)
    assert rows(graph.edges) == [(0, 1, 1), (0, 2, 1), (1, 2, 1)]


def test_relations_can_be_left_out() -> None:
    config = ItemGraphConfig(s_m=0, leave_out_relations=["actor"])
    assert rows(build_item_graph(*tables(FACTS, FILMS, 4), config).edges) == [(0, 1, 2)]


def test_the_table_covers_every_threshold_up_to_the_largest_overlap() -> None:
    graph = build(FACTS, FILMS, 1, items=4)
    assert graph.thresholds.columns == ["s_m", "edges", "density", "isolated_items"]
    assert rows(graph.thresholds) == [(0, 3, 0.5, 1), (1, 1, 1 / 6, 2), (2, 1, 1 / 6, 2), (3, 0, 0.0, 4)]


def test_the_order_of_triples_links_and_items_is_immaterial() -> None:
    kg, links, items = tables(FACTS, FILMS, 4)
    config = ItemGraphConfig(s_m=0, leave_out_relations=[])
    graph = build_item_graph(kg, links, items, config)
    turned = build_item_graph(kg.reverse(), links.reverse(), items.reverse(), config)
    assert turned.edges.equals(graph.edges)
    assert turned.thresholds.equals(graph.thresholds)


def test_links_of_items_that_are_not_in_the_data_are_ignored() -> None:
    kg, links, items = tables(FACTS, FILMS, 4)
    stranger = pl.DataFrame({"item_id": ["elsewhere"], "entity_id": ["a"]})
    config = ItemGraphConfig(s_m=0, leave_out_relations=[])
    graph = build_item_graph(kg, pl.concat([stranger, links]), items, config)
    assert graph.edges.equals(build_item_graph(kg, links, items, config).edges)


def test_an_s_m_that_leaves_no_edge_names_the_largest_overlap() -> None:
    with pytest.raises(
        InputError, match=r"^s_m: found 3, which leaves no edge: .* more than 3 entities; expected less than 3$"
    ):
        refuse_without_edges(build(FACTS, FILMS, 3, items=4), 3)


def test_a_graph_without_any_shared_entity_is_not_blamed_on_s_m() -> None:
    with pytest.raises(InputError, match=r"^kg: found no two items that share an entity"):
        refuse_without_edges(build([("a", "genre", "x"), ("b", "genre", "y")], [(0, "a"), (1, "b")], 0), 0)


def test_an_unknown_relation_names_those_that_exist() -> None:
    with pytest.raises(InputError, match=r"^leave_out_relations: found 'directr', expected some of: actor, genre$"):
        build(FACTS, FILMS, 0, ["directr"])


@pytest.mark.parametrize("links", [[], [(0, "nowhere")]])
def test_links_that_name_no_entity_of_the_kg_are_an_error(links: Links) -> None:
    with pytest.raises(InputError, match=r"^kg: found no triple about any linked item"):
        build(FACTS, links, 0)


def graph_of(edges: int, items: int) -> ItemGraph:
    """A graph whose edges are its first pairs: a star around item 0 to begin with."""
    pairs = list(combinations(range(items), 2))[:edges]
    frame = pl.DataFrame({"source": [left for left, _ in pairs], "target": [right for _, right in pairs]})
    nothing = triples_around(*tables([], []))
    return ItemGraph(frame, pl.DataFrame(), pl.DataFrame(), items, nothing)


def test_more_than_thirty_percent_isolated_is_a_warning() -> None:
    # A star over 7 of 10 items leaves exactly 30% without an edge, over 6 of them 40%.
    assert not any("isolated" in warning for warning in graph_of(6, 10).warnings(4))
    (warning,) = [line for line in graph_of(5, 10).warnings(4) if "isolated" in line]
    assert warning == "s_m 4: 40% of the items are isolated (more than 30%); a lower s_m joins more"


def test_more_than_ten_percent_density_is_a_warning() -> None:
    # 21 items have 210 pairs.
    assert graph_of(21, 21).density == pytest.approx(0.1)
    assert not any("pairs" in warning for warning in graph_of(21, 21).warnings(4))
    (warning,) = graph_of(22, 21).warnings(4)
    assert warning == "s_m 4: 10.5% of all pairs are edges (more than 10%); a higher s_m keeps fewer"


def test_a_sound_graph_has_no_warning() -> None:
    assert graph_of(20, 21).warnings(4) == []


def test_the_adjacency_matrix_is_symmetric_and_holds_ones() -> None:
    edges = pl.DataFrame({"source": [0, 1], "target": [1, 3]})
    expected = np.zeros((5, 5))
    for left, right in rows(edges):
        expected[left, right] = expected[right, left] = 1
    np.testing.assert_array_equal(adjacency(edges, 5).toarray(), expected)


def test_the_edge_index_has_both_directions_of_every_edge() -> None:
    index = edge_index(pl.DataFrame({"source": [0, 1], "target": [1, 3]}, schema_overrides={"source": pl.Int32}))
    assert index.dtype == np.int64
    assert sorted(map(tuple, index.T.tolist())) == [(0, 1), (1, 0), (1, 3), (3, 1)]


@settings(max_examples=60, deadline=None, derandomize=True)
@given(triples_of, links_of)
def test_the_neighbours_of_every_item_are_kept_as_a_table_and_read_back_as_a_matrix(
    triples: Triples, links: Links
) -> None:
    sets = neighbours(triples, links, [])
    if not any(sets):
        return
    graph = build(triples, links, 0)
    assert graph.neighbours.columns == ["item", "entity"]
    incidence = incidence_of(graph.neighbours, ITEMS)
    assert incidence.shape[0] == ITEMS
    np.testing.assert_array_equal(incidence.toarray(), neighbour_incidence(*tables(triples, links)).toarray())
    # Entities have numbers there, so it is by what items share that they are known.
    shared = (incidence @ incidence.T).toarray()
    assert shared.tolist() == [[len(left & right) for right in sets] for left in sets]
    assert incidence.shape[1] == len(set().union(*sets))
