"""Items added to a graph are joined as they would be, had they been there from the beginning."""

from __future__ import annotations

import numpy as np
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.graph.added_items import BLOCK, around_added
from pipeline.graph.item_graph import build_item_graph
from pipeline.graph.matrices import adjacency, adjacency_of_added, attending_to, incidence_around
from pipeline.graph.relations import relations_around
from pipeline.graph.settings import ItemGraphConfig
from pipeline.graph.triples import triples_around
from tests.graph.test_relations import frames

entities = st.sampled_from(["a", "b", "c", "é", "10", "9"])
IDS = ["u", "v", "w", "x", "y", "z"]
TRIPLES = st.lists(
    st.tuples(st.sampled_from([f"e{one}" for one in IDS]), st.sampled_from(["r", "s", "left"]), entities),
    min_size=1,
    max_size=25,
)
LINKS = [(one, f"e{one}") for one in IDS]


def numbered(ids: list[str]) -> pl.DataFrame:
    return pl.DataFrame({"item": range(len(ids)), "item_id": ids}, schema={"item": pl.Int32, "item_id": pl.String})


@settings(deadline=None, max_examples=200, derandomize=True)
@given(TRIPLES, st.integers(0, 2), st.integers(1, 3))
def test_what_was_added_is_joined_as_if_it_had_been_there(
    triples: list[tuple[str, str, str]], s_m: int, count: int
) -> None:
    kg, links = frames([*triples, ("eu", "r", "a")], LINKS)
    # A relation that is left out has to be one of the graph's.
    kg = pl.concat([kg, frames([("eu", "left", "q")], [])[0]]).unique()
    config = ItemGraphConfig(s_m=s_m, leave_out_relations=["left"])
    known, added = IDS[:-count], IDS[-count:]
    whole = build_item_graph(kg, links, numbered(IDS), config).edges
    expected = {
        (source, target - len(known), overlap)
        for source, target, overlap in whole.rows()
        if source < len(known) <= target
    }
    before = relations_around(
        triples_around(kg, links.filter(pl.col("item_id").is_in(known)), numbered(known), config.leave_out_relations)
    )
    mine = links.filter(pl.col("item_id").is_in(added))
    found = around_added(kg, mine, added, before.relations, before.entities, config)
    assert set(found.edges.rows()) == expected
    # The entities that are known have their numbers, and others the next ones.
    names = dict(before.entities.rows())
    among_all = relations_around(triples_around(kg, mine, numbered(added), config.leave_out_relations))
    ids = dict(among_all.entities.rows())
    rows = {(item, relation, inverse, ids[entity]) for item, relation, inverse, entity in among_all.relations.rows()}
    assert {(*row[:3], names[row[3]]) for row in found.relations.rows() if row[3] in names} == {
        row for row in rows if row[3] in names.values()
    }
    others = {row[3] for row in found.relations.rows()} - names.keys()
    assert len(others) == len({row[3] for row in rows} - set(names.values()))
    assert all(len(names) <= number < len(names) + len(others) for number in others)
    # One at a time is the same as all at once.
    for place, one in enumerate(added):
        alone = around_added(
            kg, mine.filter(pl.col("item_id") == one), [one], before.relations, before.entities, config
        )
        assert {(source, overlap) for source, _, overlap in alone.edges.rows()} == {
            (source, overlap) for source, target, overlap in found.edges.rows() if target == place
        }


def test_more_than_a_block_at_once() -> None:
    ids = [f"i{number}" for number in range(BLOCK + 20)]
    triples = [(one, "r", f"{number % 7}") for number, one in enumerate(ids)]
    kg, links = frames(triples, [(one, one) for one in ids])
    config = ItemGraphConfig(s_m=0, leave_out_relations=[])
    before = relations_around(triples_around(kg, links.head(14), numbered(ids[:14]), config.leave_out_relations))
    found = around_added(kg, links.tail(len(ids) - 14), ids[14:], before.relations, before.entities, config)
    expected = {
        (source, target) for target, _ in enumerate(ids[14:]) for source in range(14) if (target + 14) % 7 == source % 7
    }
    assert {row[:2] for row in found.edges.rows()} == expected


def test_beside_items_without_a_graph_nothing_is_joined() -> None:
    nothing, links = frames([], [("x", "ex"), ("y", "ey")])
    config = ItemGraphConfig(s_m=0, leave_out_relations=[])
    before = relations_around(triples_around(nothing, links.clear(), numbered(["a"]), config.leave_out_relations))
    kg, _ = frames([("ex", "r", "1"), ("ey", "r", "1"), ("ey", "r", "2")], [])
    found = around_added(kg, links, ["x", "y"], before.relations, before.entities, config)
    assert found.edges.is_empty()
    assert found.relations.rows() == [(0, "r", False, 0), (1, "r", False, 0), (1, "r", False, 1)]


def test_matrices_of_what_was_added() -> None:
    edges = pl.DataFrame({"source": [0, 2], "target": [1, 0], "overlap": [5, 6]})
    assert adjacency_of_added(edges, 3, 2).toarray().tolist() == [[0, 0, 1], [1, 0, 0]]
    assert attending_to(edges, 3).tolist() == [[0, 2], [4, 3]]
    relations = pl.DataFrame({"item": [0, 0, 1], "relation": ["a", "b", "a"], "entity": [1, 1, 9]})
    assert incidence_around(relations, 2, 3).toarray().tolist() == [[0, 1, 0], [0, 0, 0]]
    both = pl.DataFrame({"source": [0], "target": [1]})
    assert np.array_equal(adjacency(both, 2).toarray(), [[0, 1], [1, 0]])
