"""A knowledge graph out of what a data set says of its items itself: (item, genre, Comedy), (item, author, Jane Austen)."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from pipeline.data.sources.tidy import RawTable


def item_triples(
    items: pl.DataFrame, kind: str, relations: Mapping[str, pl.Series], file: str
) -> tuple[RawTable, RawTable]:
    """Triples with an item's entity ``KIND:ITEM`` as head, and the links of items to these entities.

    Names that differ only in case or blanks are one entity, written as it was met first. An item of which nothing is known
    has no entity.

    Args:
        items: item_id.
        kind: what an item is: movie, book, artist.
        relations: name to a column of text, or of lists of texts, aligned with `items`; missing values say nothing.
        file: where it was read, for errors.
    """
    parts = []
    for relation, column in relations.items():
        frame = items.select("item_id").with_columns(relation=pl.lit(relation), tail=column)
        if isinstance(column.dtype, pl.List):
            frame = frame.explode("tail")
        parts.append(frame.with_columns(pl.col("tail").cast(pl.String)))
    tidied = pl.col("tail").str.replace_all(r"\s+", " ").str.strip_chars()
    triples = pl.concat(parts).with_columns(tidied).filter(pl.col("tail").is_not_null() & (pl.col("tail") != ""))
    triples = triples.with_columns(
        pl.format("{}:{}", pl.lit(kind), "item_id").alias("head"),
        pl.col("tail").first().over("relation", pl.col("tail").str.to_lowercase()),
    )
    triples = triples.unique(["head", "relation", "tail"], maintain_order=True)
    links = triples.select("item_id", entity_id="head").unique(maintain_order=True)
    return RawTable(triples.select("head", "relation", "tail"), file), RawTable(links, file)


def decades(years: pl.Series) -> pl.Series:
    """1995 is of the 1990s."""
    return (years // 10 * 10).cast(pl.String) + "s"
