"""How items hang together in the knowledge graph: the entities that both are joined to, and triples between the two.

These are the paths item - entity - item that make N_i ∩ N_j (method 2), with the relations on both sides of the entity, and
the direct ones, item - item, such as a sequel's.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import unquote

import polars as pl

from pipeline.common.errors import LONGEST_TITLE, shortened
from pipeline.common.relation_names import INVERSE

# Last part of a relation's name that says what an entity is called.
NAMING = ("name", "label", "preflabel", "title")
# Ids that tell a person nothing: Freebase's and Wikidata's, numbers, long hexadecimal ones.
_OPAQUE = re.compile(r"[mg]\.[0-9a-z_]+|[QP]\d+|[\d\W_]+|[0-9a-f-]{16,}")
# A domain, a type and one of its properties.
_FREEBASE = re.compile(r"\w+\.(\w+)\.\w+")
_LAST_PART = re.compile(r"[^./#:]+$")


@dataclass(frozen=True)
class SharedEntity:
    """
    Attributes:
        entity: its id.
        name: what it is called; None where nothing but an id is known that tells a person nothing.
        relations: of the triples from the item to the entity, ascending; if there are none, those from the entity to the item,
            each after a `^`.
        other_relations: likewise, of the other item.
        items: how many items of the catalogue are joined to it, these two included.
    """

    entity: str
    name: str | None
    relations: tuple[str, ...]
    other_relations: tuple[str, ...]
    items: int

    @property
    def how(self) -> tuple[str, ...]:
        """The relations that both items have to it, or "one / other" where there are none."""
        both = tuple(name for name in self.relations if name in self.other_relations)
        return both or tuple(f"{one} / {other}" for one in self.relations[:1] for other in self.other_relations[:1])


@dataclass(frozen=True)
class Path:
    """
    Attributes:
        other: index of the other item.
        direct: likewise, of the triples from the item to the other item.
        shared: entities that both are joined to, the rarest first.
    """

    other: int
    direct: tuple[str, ...]
    shared: tuple[SharedEntity, ...]

    def by_relation(self) -> dict[tuple[str, ...], list[SharedEntity]]:
        """Shared entities by how they are shared; the relation of the rarest entity first."""
        groups: dict[tuple[str, ...], list[SharedEntity]] = {}
        for entity in self.shared:
            groups.setdefault(entity.how, []).append(entity)
        return groups


class KnowledgeGraph:
    """
    Args:
        kg: head, relation, tail.
        item_entities: item_id, entity_id.
        items: item, item_id.
        leave_out_relations: they do not count, as in the item graph.
        titles: of the items, by index: the names of their entities.
    """

    def __init__(
        self,
        kg: pl.DataFrame,
        item_entities: pl.DataFrame,
        items: pl.DataFrame,
        leave_out_relations: Sequence[str] = (),
        titles: Sequence[str] = (),
    ) -> None:
        # A triple from an entity to itself says nothing about sharing.
        self._triples = kg.filter(
            ~pl.col("relation").is_in(list(leave_out_relations)) & (pl.col("head") != pl.col("tail"))
        )
        self._named = kg.filter(
            pl.col("relation").str.extract(f"({_LAST_PART.pattern})").str.to_lowercase().is_in(NAMING)
        )
        self._links = item_entities.join(items.select("item", "item_id"), on="item_id", how="inner").select(
            "item", "entity_id"
        )
        self._titles = titles

    @property
    def is_there(self) -> bool:
        """Whether there is a graph: not every data set has one."""
        return not self._links.is_empty()

    def knows(self, item: int) -> bool:
        """Whether the graph has an entity for an item."""
        return bool(self._entities(item))

    def paths(self, item: int, others: Sequence[int]) -> list[Path]:
        """How an item hangs together with each of some others, in their order."""
        around = self._around(pl.Series([item, *others]).unique())
        mine = around.filter(pl.col("item") == item)
        own = set(self._entities(item))
        both = mine.join(
            around.filter(pl.col("item") != item), on="neighbour", suffix="_other", maintain_order="left_right"
        )
        shared = both["neighbour"].unique().to_list()
        counts, names = self._items_around(shared), self.names(shared)
        found = []
        for other in others:
            theirs = set(self._entities(other))
            direct = mine.filter(pl.col("neighbour").is_in(list(theirs)), pl.col("entity_id").is_in(list(own)))
            rows = both.filter(pl.col("item_other") == other)
            entities = []
            for entity in rows["neighbour"].unique(maintain_order=True):
                triples = rows.filter(pl.col("neighbour") == entity)
                sides = _relations(triples), _relations(triples, "_other")
                entities.append(SharedEntity(entity, names.get(entity), *sides, counts[entity]))
            order = sorted(entities, key=lambda each: (each.items, each.how, each.name or "", each.entity))
            found.append(Path(other, _relations(direct), tuple(order)))
        return found

    def _entities(self, item: int) -> list[str]:
        return self._links.filter(pl.col("item") == item)["entity_id"].to_list()

    def _around(self, items: pl.Series) -> pl.DataFrame:
        """item, entity_id, relation, neighbour, outwards: every triple of some items' entities, seen from the item."""
        links = self._links.filter(pl.col("item").is_in(items.to_list()))
        both = pl.concat(
            [
                self._triples.select("relation", entity_id="head", neighbour="tail", outwards=pl.lit(True)),
                self._triples.select("relation", entity_id="tail", neighbour="head", outwards=pl.lit(False)),
            ]
        )
        return links.join(both, on="entity_id", how="inner").unique().sort("item", "neighbour", "relation", "outwards")

    def _items_around(self, entities: list[str]) -> Mapping[str, int]:
        """How many items are joined to each of some entities."""
        near = pl.concat(
            [
                self._triples.filter(pl.col("head").is_in(entities)).select(neighbour="head", entity_id="tail"),
                self._triples.filter(pl.col("tail").is_in(entities)).select(neighbour="tail", entity_id="head"),
            ]
        )
        counts = near.join(self._links, on="entity_id").group_by("neighbour").agg(pl.col("item").n_unique())
        return dict(counts.iter_rows())

    def names(self, entities: list[str]) -> dict[str, str]:
        """Of those that have one: by a triple that names it, by the item that it is, or by an id that can be read."""
        readable = {entity: name for entity in entities if (name := readable_name(entity))}
        of_items = self._links.filter(pl.col("entity_id").is_in(entities)).sort("item", descending=True)
        titled = {entity: self._titles[item] for item, entity in of_items.iter_rows() if item < len(self._titles)}
        told = self._named.filter(pl.col("head").is_in(entities)).sort("tail", descending=True)
        found = readable | titled | dict(told.select("head", "tail").iter_rows())
        return {entity: shortened(name, LONGEST_TITLE) for entity, name in found.items()}


def _relations(triples: pl.DataFrame, side: str = "") -> tuple[str, ...]:
    """Relations of one side; inverse ones, which many graphs hold beside the others, only where there is nothing else."""
    outwards = triples.filter(pl.col(f"outwards{side}"))[f"relation{side}"].unique().sort()
    inwards = triples[f"relation{side}"].unique().sort()
    return tuple(outwards) or tuple(f"{INVERSE}{name}" for name in inwards)


def spoken(relation: str) -> str:
    """A relation as a person says it: the last part of a long name; an inverse one with whose it is.

    >>> spoken("film.film.award_nomination"), spoken("http://dbpedia.org/ontology/birthPlace"), spoken("0")
    ('award nomination', 'birth place', 'relation 0')
    >>> spoken("^film.actor.film"), spoken("^http://dbpedia.org/ontology/author"), spoken("^precededBy")
    ('film of actor', 'author of', '← preceded by')
    """
    if " / " in relation:
        return " / ".join(map(spoken, relation.split(" / ")))
    plain = relation.removeprefix(INVERSE)
    found = _LAST_PART.search(plain)
    said = _words(found[0]) if found else plain
    if _OPAQUE.fullmatch(said):
        said = f"relation {said}"
    if plain == relation:
        return said
    if said.endswith(" by"):
        return f"← {said}"
    typed = _FREEBASE.fullmatch(plain)
    return f"{said} of {_words(typed[1])}" if typed else f"{said} of"


def _words(name: str) -> str:
    """Of a name in snake_case or camelCase."""
    return re.sub(r"(?<=[a-z])([A-Z])(?![A-Z])", lambda letter: f" {letter[0].lower()}", name).replace("_", " ")


def readable_name(entity: str) -> str | None:
    """What an id says to a person, if anything: the last part of an address, or the id itself.

    >>> readable_name("http://dbpedia.org/resource/Tom_Hanks")
    'Tom Hanks'
    >>> readable_name("m.0dyb1") is None
    True
    """
    name = entity
    if "://" in entity:
        name = unquote(re.split(r"[/#]", entity.rstrip("/#"))[-1]).replace("_", " ")
    return None if _OPAQUE.fullmatch(name) else name.strip()
