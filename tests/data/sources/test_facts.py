"""A graph out of the items' columns: each kind of column by hand, and any tables by a slow reference."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.common.errors import InputError
from pipeline.data.sources.facts import FEW_NUMBERS, RANGES, facts_in, facts_of_added, graph_of_facts, values_of
from pipeline.data.sources.tidy import RawTable


def values(column: list[Any], dtype: Any = None) -> list[list[str]]:
    return [found or [] for found in values_of(pl.Series("c", column, dtype=dtype), "items.csv").to_list()]


def graph(items: dict[str, list[Any]], *columns: str) -> tuple[list[tuple[str, str, str]], list[tuple[str, str]]]:
    kg, links = graph_of_facts(RawTable(pl.DataFrame(items), "items.csv"), columns)
    return kg.frame.rows(), links.frame.rows()


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        ([["a", " b "], [], None, ["", None]], [["a", "b"], [], [], []]),
        (["a|b", "a", None, " | "], [["a", "b"], ["a"], [], []]),
        (["a; b", "a"], [["a", "b"], ["a"]]),
        (["Drama, War", "War, Comedy", "Comedy, Drama", "Drama, War, Comedy"], [
            ["Drama", "War"], ["War", "Comedy"], ["Comedy", "Drama"], ["Drama", "War", "Comedy"],
        ]),
        (["King, Stephen", "Lem, Stanislaw", "King, Stephen"], [["King, Stephen"], ["Lem, Stanislaw"], ["King, Stephen"]]),
        (['["a", "b"]', "[]", None, ""], [["a", "b"], [], [], []]),
        (["[{'id': 16, 'name': 'War'}, {'id': 1, 'name': \"A's\"}]", "[]"], [["War", "A's"], []]),
        (["[a", "[b]"], [["[a"], ["[b]"]]),
        (["1999", " 2000", "", None], [["1999"], ["2000"], [], []]),
        ([1999, 2000, None], [["1999"], ["2000"], []]),
        ([0.5, float("nan"), 1.0], [["0.5"], [], ["1"]]),
        ([True, False], [["true"], ["false"]]),
        ([None, None], [[], []]),
    ],
    ids=str,
)  # fmt: skip
def test_what_counts_as_a_value(column: list[Any], expected: list[list[str]]) -> None:
    assert values(column) == expected


def test_lists_of_objects_and_of_lists_are_unfolded() -> None:
    assert values([[["Books", "Crime"], ["Books"]], None]) == [["Books", "Crime", "Books"], []]
    assert values([[{"name": "to-read", "count": 3}, {"name": None, "count": 1}], []]) == [["to-read"], []]
    assert values([[1, 2]], pl.Array(pl.Int64, 2)) == [["1", "2"]]


@given(st.lists(st.floats(-1e6, 1e6) | st.integers(-50, 50).map(float), min_size=FEW_NUMBERS + 1, max_size=200))
def test_many_numbers_make_ranges_that_hold_them(numbers: list[float]) -> None:
    found = values(numbers)
    if len(set(numbers)) <= FEW_NUMBERS:
        assert found == [[f"{number:.15g}"] for number in numbers]
        return
    for number, (name,) in zip(numbers, found, strict=True):
        low, _, high = name.partition(" to ")
        assert float(low) <= float(f"{number:.15g}") <= float(high or low)
    assert 2 <= len({name for (name,) in found}) <= RANGES


def test_ranges_hold_about_as_many_items_each() -> None:
    found = pl.Series([name for (name,) in values([str(1900 + number) for number in range(100)])])
    assert found.value_counts()["count"].to_list() == [10] * RANGES
    assert found[0] == "1900 to 1909"
    assert found[99] == "1990 to 1999"


def test_items_are_linked_to_their_own_ids_and_facts_are_triples() -> None:
    assert graph(
        {"item_id": [1, 2], "genre": ["War|War|Comedy", None], "year": [1999, 2000], "title": ["A", "B"]},
        "genre",
        "year",
    ) == (
        [("1", "genre", "War"), ("1", "genre", "Comedy"), ("1", "year", "1999"), ("2", "year", "2000")],
        [("1", "1"), ("2", "2")],
    )


def test_an_item_without_a_fact_has_no_entity() -> None:
    assert graph({"item_id": ["a", "b"], "genre": ["War", ""]}, "genre")[1] == [("a", "a")]


def test_a_value_of_several_columns_or_that_is_an_items_id_is_told_apart() -> None:
    kg, _ = graph(
        {"item_id": [1994, 2], "year": [1994, 1999], "writer": ["Lem", "Orwell"], "director": ["Orwell", "Lem"]},
        "year",
        "writer",
        "director",
    )
    assert {tail for _, _, tail in kg} == {
        "year: 1994", "1999", "writer: Lem", "director: Lem", "writer: Orwell", "director: Orwell",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("items", "column", "message"),
    [
        ({"item_id": [1], "a": ["x"]}, "b", "source.facts: found 'b', expected columns of items.csv: a"),
        ({"item_id": [1]}, "item_id", "source.facts: found 'item_id', expected columns of items.csv: none"),
        ({"id": [1], "a": ["x"]}, "a", "items.csv: column item_id: not found"),
        ({"item_id": [["1"]], "a": ["x"]}, "a", r"items.csv: column item_id: found type List"),
        ({"item_id": [1], "a": [{"b": 1}]}, "a", r"items.csv: column a: found type Struct"),
        ({"item_id": [1], "a": [b"x"]}, "a", "items.csv: column a: found type Binary"),
    ],
)
def test_what_cannot_be_a_fact_is_refused(items: dict[str, list[Any]], column: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        graph(items, column)


@pytest.mark.parametrize(
    ("name", "proposed"),
    [
        ("average_rating", False),
        ("ratingsCount", False),
        ("vote_average", False),
        ("page_count", True),
        ("runtime", True),
    ],
)
def test_what_people_did_is_proposed_as_no_fact(name: str, *, proposed: bool) -> None:
    numbers = [f"{value % 7}.5" for value in range(60)]
    items = pl.DataFrame({"item_id": range(60), name: numbers})
    assert facts_in(items) == ([name] if proposed else [])
    # Who asks for it gets it.
    assert len(graph_of_facts(RawTable(items, "items"), [name])[0].frame) == 60


def test_ratings_that_are_words_are_facts() -> None:
    items = pl.DataFrame({"item_id": range(60), "content_rating": ["PG", "R", "G"] * 20})
    assert facts_in(items) == ["content_rating"]


def test_no_ids_are_proposed_as_facts_though_ranges_of_them_are_shared() -> None:
    count = 60
    items = pl.DataFrame(
        {
            "item_id": [f"i{place}" for place in range(count)],
            "movieId": [3 * place for place in range(count)],
            "isbn": [None if place == 5 else str(9_780_000_000_000 + 37 * place) for place in range(count)],
            "category_id": [place % 7 for place in range(count)],
            "year": [1980 + place % 30 for place in range(count)],
            "price": [place + 0.99 for place in range(count)],
        }
    )
    assert facts_in(items) == ["category_id", "year", "price"]


def test_lists_without_end_are_texts() -> None:
    endless = "[" * 100_000
    closed = endless + "]" * 100_000
    assert values([endless, closed]) == [[endless], [closed]]


def facts_added(known: dict[str, list[Any]], added: dict[str, list[Any]], *columns: str) -> dict[str, set[str]]:
    """Of each item that was added its facts, as `column=entity`."""
    items, more = pl.DataFrame(known), pl.DataFrame(added)
    kg, _ = graph_of_facts(RawTable(items, "items.csv"), columns)
    found, links = facts_of_added(
        items, kg.frame, more.select(pl.col(name).cast(items.schema[name]) for name in items.columns), columns
    )
    of_entity = dict(links.select("entity_id", "item_id").iter_rows())
    told: dict[str, set[str]] = {item: set() for item in added["item_id"]}
    for head, relation, tail in found.rows():
        told[of_entity[head]].add(f"{relation}={tail}")
    return told


def test_facts_of_an_added_item_are_called_as_those_of_the_others() -> None:
    known = {
        "item_id": ["1", "2", "3", "4"],
        "genres": ["War|Drama", "Drama", "Comedy", "War"],
        "maker": ["Drama", "Lem", "Lem", "4"],
        "year": list(range(4)),
    }
    added = {"item_id": ["Lem", "6"], "genres": ["Drama|Noir|", None], "maker": ["Lem", "4"], "year": [2, None]}
    # Drama is a genre and a maker, 4 the id of an item as well; nobody has Noir, and Lem is no id of what is known.
    assert facts_added(known, added, "genres", "maker", "year") == {
        "Lem": {"genres=genres: Drama", "genres=genres: Noir", "maker=Lem", "year=year: 2"},
        "6": {"maker=maker: 4"},
    }


def test_a_number_of_an_added_item_is_in_a_range_of_the_others() -> None:
    years = [float(year) for year in range(1900, 1900 + 10 * FEW_NUMBERS)]
    known = {"item_id": [f"i{year:.0f}" for year in years], "year": years}
    names = {tail for _, _, tail in graph(known, "year")[0]}
    assert len(names) == RANGES
    found = facts_added(known, {"item_id": ["a", "b", "c", "d"], "year": [1905.5, 1.0, 9999.0, float("nan")]}, "year")
    first, last = min(names), max(names)
    assert found == {"a": {f"year={first}"}, "b": {f"year={first}"}, "c": {f"year={last}"}, "d": set()}


def test_what_parts_the_values_of_a_text_is_told_by_the_others() -> None:
    known = {"item_id": list("abcd"), "who": ["King, Stephen", "Lem, Stanislaw", "Verne, Jules", "Orwell, George"]}
    assert facts_added(known, {"item_id": ["x"], "who": ["Lem, Stanislaw"]}, "who") == {"x": {"who=Lem, Stanislaw"}}
    parted = {"item_id": list("abcd"), "who": ["x, y", "y, z", "x, z", "z, x"]}
    assert facts_added(parted, {"item_id": ["q"], "who": ["z, y"]}, "who") == {"q": {"who=z", "who=y"}}
