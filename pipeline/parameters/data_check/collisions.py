"""Numbers that mean two things in the graph, where entities are the same if they are written the same.

The items of many data sets are numbered, and so are facts about them: years, pages, counts, genres by a key of their own. To the graph the
item 1994 and the year 1994 are one entity, which joins what has nothing in common.
"""

from __future__ import annotations

import polars as pl

from pipeline.common.errors import quoted
from pipeline.data.sources.tidy import TidyTables
from pipeline.parameters.data_check.findings import Finding

WHOLE_NUMBER = r"^\d+$"
# A fact is known of most items, and says the same of several; another item is mostly neither.
MOST_ITEMS, SEVERAL = 0.5, 2
# Keys out of a database begin with 0 or 1 and leave out few.
KEY_STARTS, KEYS_USED = 1, 0.8
# In names of relations whose tails are numbers.
NUMBERS = (
    "year",
    "decade",
    "date",
    "age",
    "count",
    "number",
    "num",
    "pages",
    "runtime",
    "duration",
    "length",
    "price",
    "rating",
    "score",
    "rank",
    "votes",
    "episodes",
)


def colliding_numbers(tables: TidyTables, kg_file: str) -> list[Finding]:
    """What the graph takes for one entity and is probably two: an item and a number, or the numbers of two relations."""
    kg, links = tables.kg, tables.item_entities
    numbers = kg.filter(pl.col("tail").str.contains(WHOLE_NUMBER))
    if numbers.is_empty():
        return []
    linked, heads = links["entity_id"].unique().implode(), kg["head"].unique().implode()
    tails = (
        numbers.select("relation", "tail")
        .unique()
        .with_columns(is_item=pl.col("tail").is_in(linked), is_head=pl.col("tail").is_in(heads))
    )
    # Where all entities are numbers, somebody numbered them, and one that is there twice is one.
    numbered = len(numbers) == len(kg) and bool(kg["head"].str.contains(WHOLE_NUMBER).all())
    of_items = _of_items(kg, tails, linked, numbered=numbered)
    found = [_as_item(relation, tails, links, kg_file) for relation in of_items]
    facts = tails.filter(pl.col("relation").is_in(of_items) | ~pl.col("is_item").any().over("relation"))
    return found + _of_two_relations(facts, kg_file, numbered=numbered)


def _of_items(kg: pl.DataFrame, tails: pl.DataFrame, linked: pl.Series, *, numbered: bool) -> list[str]:
    """Relations to numbers, some of which are items' entities too."""
    relations = tails.group_by("relation").agg(
        tails=pl.len(),
        shared=pl.col("is_item").sum(),
        others=(~pl.col("is_item")).sum(),
        other_heads=(~pl.col("is_item") & pl.col("is_head")).sum(),
    )
    relations = relations.filter(pl.col("shared") > 0)
    of_heads = kg.filter(pl.col("relation").is_in(relations["relation"].implode())).select("relation", "head").unique()
    of_heads = of_heads.group_by("relation").agg(heads=pl.len(), items=pl.col("head").is_in(linked).sum())
    of_most = pl.col("items") >= MOST_ITEMS * linked.list.len()[0]
    # What is not an item is nothing that has facts of its own.
    values = (pl.col("others") > 0) & (pl.col("other_heads") == 0) & (of_most | (not numbered))
    shared_by_several = of_most & (SEVERAL * pl.col("tails") <= pl.col("heads"))
    named = pl.col("relation").str.to_lowercase().str.contains(rf"(^|[^a-z])({'|'.join(NUMBERS)})($|[^a-z])")
    joined = relations.join(of_heads, on="relation", how="left").filter(SEVERAL * pl.col("items") >= pl.col("heads"))
    return joined.filter(values | shared_by_several | named)["relation"].sort().to_list()


def _as_item(relation: str, tails: pl.DataFrame, links: pl.DataFrame, kg_file: str) -> Finding:
    here = tails.filter(pl.col("relation") == relation)
    shared = here.filter("is_item")["tail"].sort()
    item = links.filter(pl.col("entity_id") == shared[0])["item_id"][0]
    return Finding(
        f"{len(shared):,} of the {len(here):,} numbers that relation {quoted(relation)} leads to are the entity of an item as well, such "
        f"as {quoted(shared[0])} of item {quoted(item)}: the graph takes them for one",
        f"if they are not, write items as {quoted(f'item {shared[0]}')} in kg and item_entities (entity_id), or the number as "
        f"{quoted(f'{relation} {shared[0]}')}",
        kg_file,
        "tail",
    )


def _of_two_relations(tails: pl.DataFrame, kg_file: str, *, numbered: bool) -> list[Finding]:
    """The two relations with the most numbers in common, if their numbers are not those of one thing."""
    if numbered:
        number = pl.col("tail").cast(pl.Int64, strict=False)
        keys = (
            (number.min() <= KEY_STARTS) & (pl.len() >= KEYS_USED * (number.max() - number.min() + 1)) & (pl.len() > 1)
        )
        tails = tails.filter(keys.over("relation"))
    both = tails.join(tails, on="tail", suffix="_other").filter(pl.col("relation") < pl.col("relation_other"))
    if both.is_empty():
        return []
    pairs = both.group_by("relation", "relation_other").agg(count=pl.len(), example=pl.col("tail").min())
    pairs = pairs.sort("count", "relation", "relation_other", descending=[True, False, False])
    first, second, count, example = pairs.row(0)
    more = f", and so are numbers of {len(pairs) - 1} other pairs of relations" if len(pairs) > 1 else ""
    return [
        Finding(
            f"relations {quoted(first)} and {quoted(second)} lead to the same {count:,} {'number' if count == 1 else 'numbers'}, such as "
            f"{quoted(example)}: the graph takes them for one{more}",
            f"if they are not, write {quoted(f'{first} {example}')} and {quoted(f'{second} {example}')}",
            kg_file,
            "tail",
        )
    ]
