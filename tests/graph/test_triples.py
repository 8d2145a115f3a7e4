"""Triples around the items against a loop over all of them."""

from __future__ import annotations

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.graph.triples import linked_triples

names = st.sampled_from(["", "a", "b", "B", "é", "10", "9"])


@settings(deadline=None, max_examples=200, derandomize=True)
@given(
    st.lists(st.tuples(names, st.sampled_from(["r", "s"]), names), max_size=8),
    st.lists(st.tuples(st.integers(0, 3), names), max_size=6),
)
def test_each_end_that_is_an_items_entity_gives_the_other_one(
    triples: list[tuple[str, str, str]], links: list[tuple[int, str]]
) -> None:
    kg = pl.DataFrame(triples, schema=["head", "relation", "tail"], orient="row").cast(pl.String)
    found = linked_triples(kg, pl.DataFrame(links, schema={"row": pl.Int32, "entity_id": pl.String}, orient="row"))
    expected = [
        (row, relation, other, inverse)
        for row, entity in links
        for head, relation, tail in triples
        for own, other, inverse in ((head, tail, False), (tail, head, True))
        if own == entity
    ]
    entries = [
        (int(row), found.relation_names[int(relation)], found.other_names[int(other)], bool(inverse))
        for row, relation, other, inverse in zip(*found[:4], strict=True)
    ]
    assert sorted(entries) == sorted(expected)
    for known in (found.relation_names, found.other_names):
        assert known.to_list() == sorted(set(known), key=str.encode)
