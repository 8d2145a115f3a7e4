"""The link from items to entities: right ones pass, wrong ones are warned of, and what cannot be told is left alone."""

from __future__ import annotations

from collections import Counter

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_matrix

from pipeline.graph import link_check
from pipeline.graph.link_check import LinkEvidence, link_evidence, link_warnings

GENRES = ["Drama", "Comedy", "Sci-Fi", "Film-Noir", "War"]
Tables = tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]


def world(count: int = 300, separator: str = " ", told: float = 0.9, forwards: bool = True, seed: int = 0) -> Tables:
    """Items with genres, a graph that tells each genre with probability ``told``, and actors that say nothing.

    Returns:
        kg, item_entities, items.
    """
    random = np.random.default_rng(seed)
    items, links, triples = [], [], []
    for item in range(count):
        genres = [genre for place, genre in enumerate(GENRES) if random.random() < 0.35 / (place + 1)] or ["Drama"]
        items.append(
            {
                "item_id": str(item),
                "title": f"Film {item} of {random.integers(10**6)}",
                "genres": separator.join(genres),
            }
        )
        links.append({"item_id": str(item), "entity_id": f"m.{item}"})
        triples += [(f"m.{item}", "genre", f"g.{genre}") for genre in genres if random.random() < told]
        triples += [(f"m.{item}", "actor", f"a.{actor}") for actor in random.integers(20, size=2)]
    if not forwards:
        triples = [(tail, relation, head) for head, relation, tail in triples]
    kg = pl.DataFrame(triples, schema=["head", "relation", "tail"], orient="row").unique(maintain_order=True)
    return kg, pl.DataFrame(links), pl.DataFrame(items)


def wrong(links: pl.DataFrame, seed: int = 1) -> pl.DataFrame:
    return links.with_columns(item_id=pl.Series(np.random.default_rng(seed).permutation(links["item_id"].to_numpy())))


@pytest.mark.parametrize("forwards", [True, False])
@pytest.mark.parametrize("separator", [" ", "|", ", "])
def test_a_right_link_passes_whatever_parts_the_categories_and_whichever_way_facts_point(separator, forwards) -> None:
    kg, links, items = world(separator=separator, forwards=forwards)
    found = link_evidence(kg, links, items, 1)
    assert found is not None
    assert found.best > 0.8
    assert found.by_chance < 0.4
    fact, category = found.fact.split("g.")[1], found.category.split("=")[1]
    assert fact == category
    assert found.fact.startswith("genre " if forwards else "< genre ")
    assert found.category.startswith("genres=")
    assert link_warnings(kg, links, items, 1) == []


@pytest.mark.parametrize("seed", range(8))
def test_a_link_of_other_ids_is_warned_of(seed) -> None:
    kg, links, items = world(800, seed=seed)
    (warning,) = link_warnings(kg, wrong(links, seed), items, 1)
    assert warning.startswith("item_entities: no fact of the knowledge graph correlates with any category")
    assert "below 0.30" in warning
    assert "\n" not in warning


def test_a_graph_that_tells_a_third_of_the_genres_still_proves_its_link() -> None:
    kg, links, items = world(800, told=0.33)
    assert link_warnings(kg, links, items, 1) == []


def test_what_chance_reaches_and_the_floor_both_count() -> None:
    def said(best: float, by_chance: float) -> bool:
        return bool(LinkEvidence(best, by_chance, "genre g.1", "genres=War").warnings())

    assert [said(0.31, 0.2), said(0.3, 0.2), said(0.51, 0.5)] == [False, False, False]
    assert [said(0.29, 0.2), said(0.49, 0.5), said(0.5, 0.5)] == [True, True, True]


def test_items_without_categories_say_nothing() -> None:
    kg, links, items = world()
    for table in (
        items.select("item_id"),
        items.select("item_id", "title"),
        items.with_columns(genres=pl.lit("Drama")),
    ):
        assert link_evidence(kg, wrong(links), table, 1) is None
        assert link_warnings(kg, wrong(links), table, 1) == []


def test_of_more_items_than_are_needed_some_are_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    kg, links, items = world(600)
    whole = link_evidence(kg, links, items, 1)
    monkeypatch.setattr(link_check, "MOST_ITEMS", len(items) // 2)
    some = link_evidence(kg, links, items, 1)
    assert some is not None
    assert some != whole
    assert some.best == pytest.approx(whole.best, abs=0.1)  # type: ignore[union-attr]
    assert some == link_evidence(kg, links, items.reverse(), 1)
    monkeypatch.setattr(link_check, "MOST_ITEMS", len(items))
    assert link_evidence(kg, links, items, 1) == whole


def test_a_graph_without_facts_that_ten_items_share_says_nothing() -> None:
    kg, links, items = world()
    own = pl.DataFrame({"head": links["entity_id"], "relation": "imdb", "tail": links["entity_id"] + " page"})
    assert link_evidence(own, links, items, 1) is None
    assert link_evidence(kg.head(0), links, items, 1) is None
    assert link_evidence(kg, links.with_columns(entity_id=pl.lit("m.none")), items, 1) is None


def test_items_without_facts_do_not_count() -> None:
    kg, links, items = world()
    more = pl.DataFrame({"item_id": [f"x{i}" for i in range(500)], "title": "-", "genres": "Western"})
    assert link_evidence(kg, links, pl.concat([items, more]), 1) == link_evidence(kg, links, items, 1)


def test_the_order_of_all_tables_is_indifferent_and_the_seed_sets_chance_only() -> None:
    kg, links, items = world()
    first = link_evidence(kg, links, items, 1)
    mixed = [frame.sample(fraction=1, shuffle=True, seed=3) for frame in (kg, links, items)]
    assert link_evidence(*mixed, 1) == first
    other = link_evidence(kg, links, items, 2)
    assert first is not None
    assert other is not None
    assert (first.best, first.fact, first.category) == (other.best, other.fact, other.category)
    assert first.by_chance != other.by_chance


def test_of_facts_that_agree_alike_the_same_is_named_every_time() -> None:
    kg, links, items = world()
    both_ways = pl.concat([kg, kg.select(head="tail", relation=pl.lit("films"), tail="head")])
    found = {str(link_evidence(both_ways.sample(fraction=1, shuffle=True, seed=s), links, items, 1)) for s in range(8)}
    assert len(found) == 1


def test_a_fact_of_every_item_tells_nothing_and_breaks_nothing() -> None:
    kg, links, items = world()
    films = pl.DataFrame({"head": links["entity_id"], "relation": "a", "tail": "film"})
    assert link_evidence(pl.concat([kg, films]), links, items, 1) == link_evidence(kg, links, items, 1)


def test_an_item_of_several_entities_has_the_facts_of_all() -> None:
    kg, links, items = world()
    facts_apart = kg.with_columns(head=pl.when(relation="genre").then("head").otherwise(pl.col("head") + " cast"))
    both = pl.concat([links, links.with_columns(pl.col("entity_id") + " cast")])
    assert link_evidence(facts_apart, both, items, 1) == link_evidence(kg, links, items, 1)


@settings(deadline=None, max_examples=60, derandomize=True)
@given(st.integers(2, 30), st.integers(1, 6), st.integers(1, 5), st.integers(1, 1000), st.sampled_from([1, 10, 10**6]))
def test_the_best_agreement_is_the_highest_correlation_of_two_columns(items, facts, categories, seed, cells) -> None:
    random = np.random.default_rng(seed)
    left = (random.random((items, facts)) < random.random(facts)).astype(float)
    right = (random.random((items, categories)) < 0.4).astype(float)
    # Every column is an indicator that some have and some have not, as `_facts` and `_categories` see to.
    left[0], left[1], right[0], right[1] = 0, 1, 1, 0
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(link_check, "BLOCK_CELLS", cells)
        best, fact, category = link_check._best_agreement(csr_matrix(left), right)
    every = [[abs(np.corrcoef(left[:, f], right[:, c])[0, 1]) for c in range(categories)] for f in range(facts)]
    assert best == pytest.approx(np.max(every))
    assert every[fact][category] == pytest.approx(best)


def test_tokens_are_those_that_enough_items_and_not_too_many_have() -> None:
    values = ["Drama|Film Noir"] * 60 + ["Drama|War"] * 30 + ["War|Rare"] * 5 + ["War"] * 55 + [None] * 50
    found = dict(link_check._tokens(pl.Series("genres", values)))
    assert {name: len(rows) for name, rows in found.items()} == {
        "genres=Drama": 90,
        "genres=Film Noir": 60,
        "genres=War": 90,
    }
    assert sorted(found["genres=War"].tolist()) == list(range(60, 150))
    assert link_check._tokens(pl.Series("id", [str(i) for i in range(300)])) == []


def test_a_category_that_most_items_have_leaves_a_column_categorical() -> None:
    values = ["Drama War"] * 30 + ["Drama"] * 120 + ["War"] * 10 + ["Drama Crime"] * 20 + ["Crime"] * 10
    found = {name: len(rows) for name, rows in link_check._tokens(pl.Series("genres", values))}
    assert found == {"genres=Crime": 30, "genres=War": 40}


def test_titles_are_no_categories_for_all_their_common_words() -> None:
    random = np.random.default_rng(0)
    titles = [
        f"{'The ' * (item % 3 == 0)}{left} {right}"
        for item, (left, right) in enumerate(random.integers(150, size=(300, 2)))
    ]
    assert link_check._tokens(pl.Series("title", titles)) == []


def test_prose_is_no_category() -> None:
    words = [f"word{number}" for number in range(30)]
    random = np.random.default_rng(0)
    few, many = ([" ".join(random.choice(words, size=size)) for _ in range(300)] for size in (4, 20))
    assert len(link_check._tokens(pl.Series("tags", few))) == 30
    assert link_check._tokens(pl.Series("plot", many)) == []


def test_numbers_may_be_categories() -> None:
    found = link_check._tokens(pl.Series("year", [1990, 1991, 1992] * 20))
    assert [name for name, _ in found] == ["year=1990", "year=1991", "year=1992"]


def test_at_most_so_many_categories_are_looked_at_the_commonest_first(monkeypatch) -> None:
    monkeypatch.setattr(link_check, "COLUMN_LIMIT", 2)
    _, _, items = world()
    table, names = link_check._categories(items)
    counts = {genre: sum(genre in row.split() for row in items["genres"]) for genre in GENRES}
    expected = sorted((genre for genre in GENRES if counts[genre] <= 150), key=lambda genre: -counts[genre])[:2]
    assert names == [f"genres={genre}" for genre in expected]
    assert table.sum(axis=0).tolist() == [counts[genre] for genre in expected]


@pytest.mark.parametrize("seed", range(8))
def test_facts_are_those_that_enough_linked_items_have_but_not_all(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link_check, "FACT_ITEMS", 3)
    random = np.random.default_rng(seed)
    entities = [f"e{number}" for number in range(6)]
    triples = [
        (str(random.choice(entities)), str(random.choice(["r", "s"])), str(random.choice([*entities, "f", "g"])))
        for _ in range(25)
    ]
    kg = pl.DataFrame(triples, schema=["head", "relation", "tail"], orient="row").unique(maintain_order=True)
    names = [f"i{number}" for number in range(9)]
    # Some items have several entities, some none, and some links are of items that are not there.
    links = pl.DataFrame(
        [(name, entity) for name in [*names, "gone"] for entity in entities if random.random() < 0.3],
        schema=["item_id", "entity_id"],
        orient="row",
    )
    matrix, found, linked = link_check._facts(kg, links, pl.DataFrame({"item_id": names[::-1], "title": "x"}))
    held: dict[str, set[str]] = {name: set() for name in names}
    for name, entity in links.filter(pl.col("item_id") != "gone").iter_rows():
        held[name] |= {f"{relation} {tail}" for head, relation, tail in kg.iter_rows() if head == entity}
        held[name] |= {f"< {relation} {head}" for head, relation, tail in kg.iter_rows() if tail == entity}
    with_fact = [name for name in names if held[name]]
    count = Counter(fact for facts in held.values() for fact in facts)
    assert found == sorted(fact for fact, times in count.items() if 3 <= times < len(with_fact))
    assert linked["item_id"].to_list() == with_fact
    assert linked.columns == ["item_id", "title"]
    expected = [[float(fact in held[name]) for fact in found] for name in with_fact]
    assert matrix.toarray().tolist() == expected
