"""A knowledge graph made of the items' own columns, for data that come without one: genres, authors, years are facts, too.

    (item, column, value)   for each value that an item has in the column

What counts as a value says `pipeline.data.elements`; but of more than `FEW_NUMBERS` different numbers it is ten ranges that about as many
items have ("1987 to 1994").
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import polars as pl

from pipeline.common.errors import InputError, quoted, shortened
from pipeline.data.elements import as_texts, elements_of, numbers_of, one_each, trimmed
from pipeline.data.sources.tidy import NO_TRIPLES, RawTable, read_ids

FACTS_MEANING = "Item columns whose values make the graph, instead of the tables kg and item_entities"
# Different numbers from which on a column is one of amounts, of which two are hardly ever the same.
FEW_NUMBERS = 20
RANGES = 10
# A column is one of facts where values that at most this share of the items have in common are there for this share of the items.
MOST_SHARE, LEAST_SHARED = 0.5, 0.3
# Whole numbers of which at least this share are different are numbers of the items, and say nothing of them.
NUMBERED_SHARE = 0.95
# Words in names of columns that count or average what people did.
OF_PEOPLE = {
    *(
        "average",
        "avg",
        "downloads",
        "favorites",
        "likes",
        "mean",
        "members",
        "plays",
        "popularity",
        "rating",
        "ratings",
    ),
    *("review", "reviews", "score", "scores", "stars", "users", "views", "vote", "votes"),
}


def graph_of_facts(items: RawTable, columns: Sequence[str]) -> tuple[RawTable, RawTable]:
    """The tables kg and item_entities, each item linked to its own id.

    An entity is called by its value; where several columns have the value, or it is the id of an item, by its column as well.

    Args:
        items: under our names.
        columns: at least one.

    Raises:
        InputError: a column is missing, or holds what is no value or no id.
    """
    ids = read_ids(items, "item_id").values
    for name in columns:
        if name == "item_id" or name not in items.frame.columns:
            known = shortened(", ".join(column for column in items.frame.columns if column != "item_id")) or "none"
            raise InputError(f"source.facts: found {quoted(name)}, expected columns of {items.file}: {known}")
    facts = [
        pl.DataFrame({"head": ids, "relation": pl.repeat(name, len(ids), eager=True), "tail": values})
        .explode("tail")
        .drop_nulls()
        .unique(maintain_order=True)
        for name, values in ((name, values_of(items.frame[name], items.file)) for name in columns)
    ]
    kg = pl.concat(facts)
    shared = kg.group_by("tail").agg(pl.col("relation").n_unique()).filter(pl.col("relation") > 1)["tail"]
    ambiguous = pl.col("tail").is_in(pl.concat([shared, ids]).implode())
    kg = kg.with_columns(
        tail=pl.when(ambiguous).then(pl.format("{}: {}", "relation", "tail")).otherwise(pl.col("tail"))
    )
    with_fact = ids.filter(ids.is_in(kg["head"].implode())).unique(maintain_order=True)
    links = pl.DataFrame({"item_id": with_fact, "entity_id": with_fact})
    return RawTable(kg, items.file), RawTable(links, items.file)


def facts_of_added(
    known: pl.DataFrame, kg: pl.DataFrame, added: pl.DataFrame, columns: Sequence[str]
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The triples and links of items that were added, by entities that are called as they are in the graph of the others.

    Args:
        known: the items of the data set.
        kg: head, relation, tail: what `graph_of_facts` made of them.
        added: with the same columns, of the same types.
        columns: the facts.

    Returns:
        head, relation, tail; and item_id, entity_id.
    """
    entities = pl.format("added:{}", "item_id")
    parts = [
        added.select(head=entities, relation=pl.lit(name), tail=_values_like(added[name], known[name]))
        .explode("tail")
        .drop_nulls()
        for name in columns
    ]
    facts = pl.concat([NO_TRIPLES, *parts]).unique(maintain_order=True)
    # What no item of the data set has is called by its column, so that it is nothing else.
    plain = facts.join(kg.select("relation", "tail").unique(), on=["relation", "tail"], how="semi")
    others = facts.join(plain, on=facts.columns, how="anti").with_columns(tail=pl.format("{}: {}", "relation", "tail"))
    found = pl.concat([plain, others])
    links = added.select("item_id", entity_id=entities).filter(pl.col("entity_id").is_in(found["head"].implode()))
    return found, links


def facts_in(items: pl.DataFrame) -> list[str]:
    """Columns of which several items share values, and not nearly all the same one: what a graph could be made of.

    No ids, of which ranges would have items in common, and no counts and means of what people did, which say how well an item is known.
    """
    found = []
    for name in items.columns:
        if name == "item_id" or _are_ids(items[name]) or _is_of_people(items[name]):
            continue
        try:
            values = values_of(items[name], "").list.unique().explode().drop_nulls()
        except InputError:
            continue
        counts = values.value_counts()["count"]
        shared = counts.filter((counts >= 2) & (counts <= MOST_SHARE * len(items)))
        if shared.sum() >= LEAST_SHARED * len(items):
            found.append(name)
    return found


def _is_of_people(column: pl.Series) -> bool:
    """`ratings_count`, `averageRating`, `votes`: numbers that are no property of the item."""
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", column.name).lower()
    return not OF_PEOPLE.isdisjoint(re.split(r"[\W_]+", words)) and numbers_of(column) is not None


def _are_ids(column: pl.Series) -> bool:
    numbers = numbers_of(column)
    known = pl.Series(dtype=pl.Float64) if numbers is None else numbers.drop_nulls()
    return bool((known == known.round()).all()) and known.n_unique() > NUMBERED_SHARE * len(known)


def values_of(column: pl.Series, file: str) -> pl.Series:
    """A list of texts for each row; an empty one, or null, where there is no value.

    Raises:
        InputError: the column holds neither texts, numbers, dates nor lists of these.
    """
    numbers = numbers_of(column)
    values = elements_of(column) if numbers is None else trimmed(one_each(_of_numbers(numbers)))
    if values is None:
        raise InputError(
            f"{file}: column {column.name}: found type {column.dtype}, expected text, numbers, dates or lists of these (source.facts)"
        )
    return values


def _values_like(column: pl.Series, known: pl.Series) -> pl.Series:
    """Values as `values_of` finds them in a column of other items, whose ranges and separators they have."""
    numbers = numbers_of(known)
    if numbers is not None:
        return trimmed(one_each(_of_numbers(column.cast(pl.Float64, strict=False), numbers)))
    values = elements_of(pl.concat([known, column]), known)
    assert values is not None, "of the items of the data set a graph was made"
    return values.tail(len(column))


def _of_numbers(numbers: pl.Series, others: pl.Series | None = None) -> pl.Series:
    """Each number as a text, or the range that it lies in.

    Args:
        others: whose ranges they are; the first and the last one have no end then. The numbers' own, if not given.
    """
    numbers = numbers.set(~numbers.is_finite().fill_null(False), None)
    known = numbers if others is None else others
    known = known.filter(known.is_finite().fill_null(False))
    if known.n_unique() <= FEW_NUMBERS:
        return as_texts(numbers)
    # Where a tenth of the items share a number a range has nothing but it.
    ordered = np.unique(known.to_numpy())
    ends = np.unique([known.quantile(share / RANGES, "lower") for share in range(1, RANGES + 1)])
    place = np.searchsorted(ends, numbers.fill_null(ends[0]).to_numpy()).clip(max=len(ends) - 1)
    first = ordered[np.r_[0, np.searchsorted(ordered, ends[:-1], side="right")]]
    names = [
        f"{low:.15g}" if low == high else f"{low:.15g} to {high:.15g}" for low, high in zip(first, ends, strict=True)
    ]
    return pl.Series(
        [None if one is None else names[number] for one, number in zip(numbers, place, strict=True)], dtype=pl.String
    )
