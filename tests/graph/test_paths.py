from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.common.errors import LONGEST_TITLE
from pipeline.graph.item_graph import neighbour_incidence
from pipeline.graph.paths import KnowledgeGraph, Path, readable_name, spoken

QUICK = settings(deadline=None, max_examples=100, derandomize=True)
Triple = tuple[str, str, str]


def graph(triples: list[Triple], links: list[tuple[str, str]], items: int, **more: list[str]) -> KnowledgeGraph:
    return KnowledgeGraph(
        pl.DataFrame(triples, schema=["head", "relation", "tail"], orient="row"),
        pl.DataFrame(links, schema=["item_id", "entity_id"], orient="row"),
        pl.DataFrame({"item": range(items), "item_id": [f"i{item}" for item in range(items)]}),
        more.get("leave_out", ()),
        more.get("titles", ()),
    )


FILMS: list[Triple] = [
    ("m0", "film.film.actor", "m.weaver"),
    ("m1", "film.film.actor", "m.weaver"),
    ("m2", "film.film.actor", "m.weaver"),
    ("m0", "film.film.genre", "horror"),
    ("horror", "film.genre.films", "m0"),
    ("m1", "film.film.genre", "horror"),
    ("m2", "film.film.genre", "comedy"),
    ("m0", "film.film.directed_by", "m.scott"),
    ("m.scott", "film.producer.film", "m1"),
    ("cameron", "directed", "m1"),
    ("cameron", "directed", "m2"),
    ("m1", "film.film.prequel", "m0"),
    ("m0", "film.film.sequel", "m1"),
    ("m0", "loop", "m0"),
]
LINKS = [("i0", "m0"), ("i1", "m1"), ("i2", "m2")]


def shown(path: Path) -> list[tuple[str, tuple[str, ...], int]]:
    return [(entity.entity, entity.how, entity.items) for entity in path.shared]


def test_paths_of_a_graph_that_can_be_read_at_a_glance() -> None:
    to_second, to_third, to_unlinked = graph(FILMS, LINKS, 4).paths(0, [1, 2, 3])
    assert (to_second.other, to_second.direct) == (1, ("film.film.sequel",))
    assert shown(to_second) == [
        ("m.scott", ("film.film.directed_by / ^film.producer.film",), 2),
        ("horror", ("film.film.genre",), 2),
        ("m.weaver", ("film.film.actor",), 3),
    ]
    assert [entity.name for entity in to_second.shared] == [None, "horror", None]
    assert (to_third.direct, shown(to_third)) == ((), [("m.weaver", ("film.film.actor",), 3)])
    assert to_unlinked == Path(3, (), ())


def test_an_inverse_relation_counts_where_there_is_no_other() -> None:
    (path,) = graph(FILMS, LINKS, 3).paths(1, [2])
    assert shown(path)[0] == ("cameron", ("^directed",), 2)


def test_a_relation_that_is_left_out_makes_no_path() -> None:
    (path,) = graph(FILMS, LINKS, 3, leave_out=["film.film.actor", "film.film.sequel"]).paths(0, [1])
    assert "m.weaver" not in {entity.entity for entity in path.shared}
    assert path.direct == ("^film.film.prequel",)


def test_knows_the_items_that_have_an_entity() -> None:
    known = graph(FILMS, LINKS, 4)
    assert [known.knows(item) for item in range(4)] == [True, True, True, False]


def test_entities_are_named_by_the_graph_then_by_their_item_then_by_a_readable_id() -> None:
    triples = [
        (film, "about", entity) for film in ("m0", "m1") for entity in ("m.1", "m.2", "m.3", "spicy", "sweet", "Q42")
    ]
    triples += [("m.1", "type.object.name", "Sigourney Weaver"), ("m.1", "rdfs:label", "Weaver"), ("m.2", "told", "x")]
    # m.2 is an item of the catalogue, and so is sweet, and m.1, which has a name of its own.
    links = [*LINKS[:2], ("i2", "m.2"), ("i2", "sweet"), ("i3", "m.1")]
    (path,) = graph(triples, links, 4, titles=["A", "B", "C", "D"]).paths(0, [1])
    assert {entity.entity: entity.name for entity in path.shared} == {
        "m.1": "Sigourney Weaver",
        "m.2": "C",
        "m.3": None,
        "spicy": "spicy",
        "sweet": "C",
        "Q42": None,
    }


def test_a_long_name_is_cut() -> None:
    long = graph([("m0", "name", "a" * 100_000), ("m0", "by", "z" * 100_000)], [("i0", "m0")], 1)
    assert long.names(["m0", "z" * 100_000]) == {
        "m0": "a" * LONGEST_TITLE + " ...",
        "z" * 100_000: "z" * LONGEST_TITLE + " ...",
    }


def test_groups_start_with_the_relation_of_the_rarest_entity() -> None:
    (path,) = graph(FILMS, LINKS, 3).paths(0, [1])
    groups = {how: [entity.entity for entity in group] for how, group in path.by_relation().items()}
    assert groups == {
        ("film.film.directed_by / ^film.producer.film",): ["m.scott"],
        ("film.film.genre",): ["horror"],
        ("film.film.actor",): ["m.weaver"],
    }
    assert list(groups) == [entity.how for entity in path.shared]


ENTITIES = [*(f"m{item}" for item in range(4)), "a", "b", "c"]
TRIPLES = st.lists(st.tuples(st.sampled_from(ENTITIES), st.sampled_from("pqr"), st.sampled_from(ENTITIES)), max_size=25)
ANY_LINKS = st.lists(st.tuples(st.sampled_from(["i0", "i1", "i2"]), st.sampled_from(ENTITIES)), unique=True, max_size=6)


def walked(triples: list[Triple], links: list[tuple[str, str]], item: str) -> set[tuple[str, str, bool]]:
    """(neighbour, relation, is outwards) around an item, by looking at each triple from both ends."""
    own = {entity for linked, entity in links if linked == item}
    outwards = {(tail, relation, True) for head, relation, tail in triples if head in own and head != tail}
    return outwards | {(head, relation, False) for head, relation, tail in triples if tail in own and head != tail}


def best(steps: set[tuple[str, str, bool]], entity: str) -> tuple[str, ...]:
    to_it = {(relation, out) for neighbour, relation, out in steps if neighbour == entity}
    outwards = tuple(sorted(relation for relation, out in to_it if out))
    return outwards or tuple(sorted(f"^{relation}" for relation, _ in to_it))


@QUICK
@given(TRIPLES, ANY_LINKS)
def test_paths_are_those_of_a_plain_walk(triples: list[Triple], links: list[tuple[str, str]]) -> None:
    # A relation that names would be one more case.
    around = {item: walked(triples, links, f"i{item}") for item in range(3)}
    near = {item: {neighbour for neighbour, _, _ in steps} for item, steps in around.items()}
    if not triples or not links:
        return
    for path in graph(triples, links, 3).paths(0, [1, 2]):
        theirs = {entity for linked, entity in links if linked == f"i{path.other}"}
        expected = {
            entity: (
                best(around[0], entity),
                best(around[path.other], entity),
                sum(entity in found for found in near.values()),
            )
            for entity in near[0] & near[path.other]
        }
        assert {each.entity: (each.relations, each.other_relations, each.items) for each in path.shared} == expected
        assert [each.items for each in path.shared] == sorted(each.items for each in path.shared)
        direct = {(relation, out) for neighbour, relation, out in around[0] if neighbour in theirs}
        outwards = tuple(sorted({relation for relation, out in direct if out}))
        assert path.direct == (outwards or tuple(sorted({f"^{relation}" for relation, _ in direct})))


@QUICK
@given(TRIPLES, ANY_LINKS, st.booleans())
def test_shared_entities_are_as_many_as_the_item_graph_counts(
    triples: list[Triple], links: list[tuple[str, str]], leave_out: bool
) -> None:
    if not triples or not links:
        return
    left_out = [triples[0][1]] if leave_out else []
    kg = pl.DataFrame(triples, schema=["head", "relation", "tail"], orient="row")
    entities = pl.DataFrame(links, schema=["item_id", "entity_id"], orient="row")
    items = pl.DataFrame({"item": range(3), "item_id": ["i0", "i1", "i2"]})
    incidence = neighbour_incidence(kg, entities, items, left_out)
    overlaps = (incidence @ incidence.T).toarray()
    paths = KnowledgeGraph(kg, entities, items, left_out).paths(0, [1, 2])
    assert [len(path.shared) for path in paths] == [overlaps[0, 1], overlaps[0, 2]]


@pytest.mark.parametrize(
    ("entity", "name"),
    [
        ("m.0dyb1", None),
        ("g.11b7fv4k6q", None),
        ("Q42", None),
        ("12345", None),
        ("3f2504e0-4f89-11d3-9a0c-0305e82c3301", None),
        ("http://www.wikidata.org/entity/Q42", None),
        ("http://dbpedia.org/resource/Tom_Hanks", "Tom Hanks"),
        ("http://dbpedia.org/resource/Am%C3%A9lie/", "Amélie"),
        ("actor comedy 3", "actor comedy 3"),
        ("tag:spicy", "tag:spicy"),
        ("Quentin", "Quentin"),
    ],
)
def test_an_id_is_a_name_where_it_can_be_read(entity: str, name: str | None) -> None:
    assert readable_name(entity) == name


@pytest.mark.parametrize(
    ("relation", "said"),
    [
        ("film.film.award_nomination", "award nomination"),
        ("http://dbpedia.org/ontology/starring", "starring"),
        ("rdf:type", "type"),
        ("has tag", "has tag"),
        ("http://dbpedia.org/ontology/birthPlace", "birth place"),
        ("hasISBN", "hasISBN"),
        ("^film.actor.film", "film of actor"),
        ("^film.film_genre.films_in_this_genre", "films in this genre of film genre"),
        ("^http://dbpedia.org/ontology/author", "author of"),
        ("^precededBy", "← preceded by"),
        ("film.film.actor / ^film.producer.film", "actor / film of producer"),
        ("17", "relation 17"),
        ("^17", "relation 17 of"),
        ("ends.", "ends."),
    ],
)
def test_a_relation_is_said_by_its_last_part(relation: str, said: str) -> None:
    assert spoken(relation) == said
