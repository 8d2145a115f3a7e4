"""The triples around the items, in numbers: names are looked up once, and what comes after costs a few bytes a triple."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import polars as pl

from pipeline.common.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray


class LinkedTriples(NamedTuple):
    """A row for each item and each end of a triple that one of the item's entities is; in no order, and with repeats.

    Attributes:
        rows: the item's row, (entries,).
        relations, others: the triple's relation and the entity at its other end, as places in the names, (entries,).
        inverse: whether the item's entity is the tail, (entries,).
        relation_names, other_names: sorted, each once; names that no entry has may be among them.
    """

    rows: NDArray[np.int32]
    relations: NDArray[np.uint32]
    others: NDArray[np.uint32]
    inverse: NDArray[np.bool_]
    relation_names: pl.Series
    other_names: pl.Series


def triples_around(
    kg: pl.DataFrame, item_entities: pl.DataFrame, items: pl.DataFrame, leave_out_relations: Sequence[str] = ()
) -> LinkedTriples:
    """The triples that make N_i: without some relations, and without triples from an entity to itself, which say nothing about sharing.

    Args:
        kg: head, relation, tail.
        item_entities: item_id, entity_id; an item with several entities has the triples of all.
        items: item (0-based), item_id.

    Raises:
        InputError: a relation to leave out does not occur.
    """
    relations = kg["relation"].unique().sort().to_list()
    for relation in leave_out_relations:
        if relation not in relations:
            raise InputError(f"leave_out_relations: found {relation!r}, expected some of: {', '.join(relations)}")
    triples = kg.filter(~pl.col("relation").is_in(list(leave_out_relations)) & (pl.col("head") != pl.col("tail")))
    return linked_triples(triples, item_entities.join(items.select("item_id", row="item"), on="item_id", how="inner"))


def linked_triples(kg: pl.DataFrame, links: pl.DataFrame) -> LinkedTriples:
    """
    Args:
        kg: head, relation, tail.
        links: row (Int32), entity_id.
    """
    linked = links["entity_id"].unique().sort()
    own = pl.DataFrame({"row": links["row"], "own": _codes(links["entity_id"], linked)})
    # An end that is no item's entity has no number here.
    ends = [
        (_codes(kg["head"], linked), kg["tail"], False),
        (_codes(kg["tail"], linked), kg["head"], True),
    ]
    kept = [(end.is_not_null(), end, other, inverse) for end, other, inverse in ends]
    names = pl.concat([other.filter(there) for there, _, other, _ in kept]).unique().sort()
    relation_names = kg["relation"].unique().sort()
    relation = _codes(kg["relation"], relation_names)
    around = pl.concat(
        [
            pl.DataFrame(
                {
                    "own": end.filter(there),
                    "relation": relation.filter(there),
                    "other": _codes(other.filter(there), names),
                }
            ).with_columns(inverse=pl.lit(inverse))
            for there, end, other, inverse in kept
        ]
    )
    found = own.join(around, on="own", how="inner")
    rows, relations, others, inverses = (found[name].to_numpy() for name in ("row", "relation", "other", "inverse"))
    return LinkedTriples(rows, relations, others, inverses, relation_names, names)


def _codes(column: pl.Series, names: pl.Series) -> pl.Series:
    """Places in sorted names; none of a value that is not there.

    By a join, which takes half of the time of a cast to `pl.Enum`.
    """
    places = pl.DataFrame({"name": names, "place": pl.Series(range(len(names)), dtype=pl.UInt32)})
    return column.to_frame("name").join(places, on="name", how="left", maintain_order="left")["place"]
