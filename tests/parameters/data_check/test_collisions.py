"""Whole numbers as ids of items beside whole numbers as facts: the graph takes them for one entity."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import polars as pl
import pytest

from pipeline.parameters.data_check.check import DataCheck
from tests.parameters.data_check.worlds import checked, tables, write

Triple = tuple[int | str, str, int | str]
ITEMS = range(1901, 1961)
GENRES = ("Drama", "Action", "Horror")


def world(folder: Path, triples: Sequence[Triple], items: Sequence[int] = ITEMS, entity: str = "{}") -> Path:
    """Items that are numbered, each the entity of the same number, a genre of each, and more triples."""
    genres: list[Triple] = [(entity.format(item), "genre", GENRES[item % 3]) for item in items]
    rated = tables(users=20, items=len(items))["interactions"]
    made = {
        "interactions": rated.with_columns(item_id=rated["item_id"] + items[0]),
        "items": pl.DataFrame({"item_id": items, "title": [f"Film {item} of a series" for item in items]}),
        "kg": pl.DataFrame(
            [tuple(map(str, triple)) for triple in [*genres, *triples]],
            schema=["head", "relation", "tail"],
            orient="row",
        ),
        "item_entities": pl.DataFrame({"item_id": items, "entity_id": [entity.format(item) for item in items]}),
    }
    return write(folder, made)


def of_collisions(check: DataCheck) -> list[str]:
    assert check.usable
    return [warning.problem for warning in check.warnings if "the graph takes them for one" in warning.problem]


def of_each(relation: str, value: Callable[[int], int | str]) -> list[Triple]:
    return [(item, relation, value(item)) for item in ITEMS]


YEARS = of_each("year", lambda item: 1920 + item % 20)


def test_a_year_that_is_an_item_is_named_and_both_remedies_work(tmp_path: Path) -> None:
    found = checked(world(tmp_path / "as it is", YEARS))
    assert of_collisions(found) == [
        "20 of the 20 numbers that relation 'year' leads to are the entity of an item as well, such as '1920' of item '1920': "
        "the graph takes them for one"
    ]
    (warning,) = [warning for warning in found.warnings if warning.problem in of_collisions(found)]
    assert warning.advice == (
        "if they are not, write items as 'item 1920' in kg and item_entities (entity_id), or the number as 'year 1920'"
    )
    remedies = {
        "items": [("item 1920".replace("1920", str(head)), relation, tail) for head, relation, tail in YEARS],
        "numbers": [(head, relation, f"year {tail}") for head, relation, tail in YEARS],
    }
    edges = []
    for name, triples in remedies.items():
        check = checked(world(tmp_path / name, triples, entity="item {}" if name == "items" else "{}"))
        assert of_collisions(check) == []
        assert check.joining is not None
        edges.append(check.joining.edges)
    assert found.joining is not None
    assert edges[0] == edges[1] != found.joining.edges


@pytest.mark.parametrize(
    ("triples", "relations"),
    [
        # Years of which some are items, pages of which few are, a number of few items alone.
        (of_each("released", lambda item: 1880 + item % 40), [("released", "19 of the 40", "1901")]),
        (of_each("pages", lambda item: 7 * (item % 50) + 1700), [("pages", "9 of the 50", "1903")]),
        ([(item, "awards", 1899 + item % 4) for item in ITEMS[:10]], [("awards", "2 of the 4", "1901")]),
        # A keyword that is a number.
        (of_each("keyword", lambda item: ("war", "love", "1917")[item % 3]), [("keyword", "1 of the 1", "1917")]),
        # A number that is a head, and one that is not.
        ([(1901 + item % 20, "year of", item) for item in ITEMS], [("year of", "60 of the 60", "1901")]),
        ([(f"y{item % 20}", "year of", item) for item in ITEMS], []),
        ([(item, "remake of", (item + 1901) // 2) for item in ITEMS[1:11]], []),
        (of_each("min age", lambda item: f"{item % 5:04d}"), []),
        # Other items are no numbers.
        ([(item, "sequel of", item - 1) for item in ITEMS[1::3]], []),
        (of_each("like", lambda item: 1901 + (item * 7) % 60), []),
        (of_each("year", lambda item: f"year {1920 + item % 20}"), []),
        (of_each("year", lambda item: 1800 + item % 20), []),
    ],
)
def test_numbers_of_facts_are_told_from_other_items(
    triples: list[Triple], relations: list[tuple[str, str, str]], tmp_path: Path
) -> None:
    found = of_collisions(checked(world(tmp_path, triples)))
    assert found == [
        f"{shares} numbers that relation '{relation}' leads to are the entity of an item as well, such as '{example}' of item "
        f"'{example}': the graph takes them for one"
        for relation, shares, example in relations
    ]


def test_keys_out_of_a_database_that_mean_two_things_are_named(tmp_path: Path) -> None:
    items = range(1001, 1061)
    keys: list[Triple] = [(item, "genre_id", 1 + item % 6) for item in items]
    keys += [(item, "director_id", 1 + item % 15) for item in items]
    folder = world(tmp_path, keys, items)
    (found,) = of_collisions(checked(folder))
    assert found == (
        "relations 'director_id' and 'genre_id' lead to the same 6 numbers, such as '1': the graph takes them for one"
    )
    # The genres' names are none of it, and without them the graph is of numbers alone.
    kg = pl.read_csv(folder / "kg.csv").filter(pl.col("relation") != "genre")
    kg.write_csv(folder / "kg.csv")
    assert of_collisions(checked(folder)) == [found]


def test_numbered_items_and_genres_are_named(tmp_path: Path) -> None:
    """MovieLens in a database: items from 1 on, genres from 1 on."""
    items = range(1, 61)
    (found,) = of_collisions(checked(world(tmp_path, [(item, "genre_id", 1 + item % 18) for item in items], items)))
    assert found.startswith("18 of the 18 numbers that relation 'genre_id' leads to are the entity of an item as well")


def test_a_graph_whose_entities_somebody_numbered_is_taken_as_it_is(tmp_path: Path) -> None:
    """As RecBole's and KGAT's: items first, everything else after them, and nobody is two things."""
    triples: list[Triple] = [(item, "0", 60 + item % 7) for item in range(60)]
    triples += [(item, "1", 70 + item % 20) for item in range(60)] + [(item, "2", 70 + item % 11) for item in range(60)]
    triples += [(item, "3", item + 1) for item in range(0, 50, 4)] + [(3, "3", 95), (7, "3", 96)]
    folder = world(tmp_path, triples, range(60))
    kg = pl.read_csv(folder / "kg.csv").filter(pl.col("relation") != "genre")
    kg.write_csv(folder / "kg.csv")
    assert of_collisions(checked(folder)) == []
