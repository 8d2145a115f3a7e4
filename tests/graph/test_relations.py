"""Relations around the items against a loop over all triples, and beside the neighbours that they make."""

from __future__ import annotations

from pathlib import Path

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.artifacts.graph import ENTITIES, RELATIONS
from pipeline.graph.item_graph import neighbour_incidence
from pipeline.graph.relations import relations_around
from pipeline.graph.settings import ItemGraphConfig
from pipeline.graph.triples import triples_around

names = st.sampled_from(["a", "b", "B", "é", "10", "9"])
Triples = list[tuple[str, str, str]]
TRIPLES = st.lists(st.tuples(names, st.sampled_from(["r", "s", "left"]), names), max_size=9)
LINKS = st.lists(st.tuples(st.sampled_from(["x", "y", "z", "elsewhere"]), names), max_size=6, unique=True)
IDS = ["x", "y", "z"]
ITEMS = pl.DataFrame({"item": range(3), "item_id": IDS}, schema={"item": pl.Int32, "item_id": pl.String})
CONFIG = ItemGraphConfig(s_m=0, leave_out_relations=["left"])


def frames(triples: Triples, links: list[tuple[str, str]]) -> tuple[pl.DataFrame, pl.DataFrame]:
    return (
        pl.DataFrame(triples, schema=dict.fromkeys(("head", "relation", "tail"), pl.String), orient="row"),
        pl.DataFrame(links, schema={"item_id": pl.String, "entity_id": pl.String}, orient="row"),
    )


@settings(deadline=None, max_examples=200, derandomize=True)
@given(TRIPLES, LINKS)
def test_each_triple_of_an_items_entity_gives_its_relation_and_its_other_end(
    triples: Triples, links: list[tuple[str, str]]
) -> None:
    expected = set()
    for item_id, entity in links:
        for head, relation, tail in triples:
            if item_id not in IDS or relation == "left" or head == tail:
                continue
            if head == entity:
                expected.add((IDS.index(item_id), relation, False, tail))
            if tail == entity:
                expected.add((IDS.index(item_id), relation, True, head))
    named = sorted(expected, key=lambda row: (*row[:3], row[3].encode()))
    # A relation that is left out has to be one of the graph's.
    kg, item_entities = frames([*triples, ("q", "left", "r")], links)
    found = relations_around(triples_around(kg, item_entities, ITEMS, CONFIG.leave_out_relations))
    ids = dict(found.entities.rows())
    assert [(*row, ids[entity]) for *row, entity in found.relations.rows()] == named
    # By name; one that only a left out item has may have a number too.
    assert list(ids) == list(range(len(ids)))
    assert list(ids.values()) == sorted(ids.values(), key=str.encode)


@settings(deadline=None, max_examples=100, derandomize=True)
@given(TRIPLES, LINKS)
def test_relations_lead_to_the_entities_that_make_the_item_graph(
    triples: Triples, links: list[tuple[str, str]]
) -> None:
    kg, item_entities = frames([*triples, ("a", "left", "b")], links)
    around = relations_around(triples_around(kg, item_entities, ITEMS, CONFIG.leave_out_relations)).relations
    incidence = neighbour_incidence(kg, item_entities, ITEMS, CONFIG.leave_out_relations)
    for item in range(3):
        mine = around.filter(pl.col("item") == item)
        assert mine["entity"].n_unique() == incidence[[item]].nnz


def test_relations_are_stored_as_they_are(tmp_path: Path) -> None:
    kg, item_entities = frames([("a", "s", "b"), ("b", "r", "a"), ("c", "r", "a")], [("z", "a"), ("x", "b")])
    found = relations_around(triples_around(kg, item_entities, ITEMS))
    assert len(found.relations) == 5
    RELATIONS.write(found.relations, "d", tmp_path)
    ENTITIES.write(found.entities, "d", tmp_path)
    assert RELATIONS.read("d", tmp_path).equals(found.relations)
    assert ENTITIES.read("d", tmp_path).equals(found.entities)


def test_a_graph_of_nothing_but_left_out_relations_has_no_row() -> None:
    kg, item_entities = frames([("a", "left", "b")], [("x", "a")])
    found = relations_around(triples_around(kg, item_entities, ITEMS, CONFIG.leave_out_relations))
    assert found.relations.is_empty()
    assert dict(found.relations.schema) == RELATIONS.columns
    assert dict(found.entities.schema) == ENTITIES.columns
