"""What our implementations are given: the likes, the graph and the links that RecBole gets, and titles beside them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from benchmarks.peers.export import Exported
from pipeline.text.title import title_column

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from scipy.sparse import csr_matrix

NO_ENTITY = -1
WORD = re.compile(r"\w+")


@dataclass(frozen=True)
class Inputs:
    """
    Attributes:
        likes: of the training split, users x items.
        titles: of each item; empty where it has none.
        entity_of: the entity of each item, (items,); `NO_ENTITY` where it has none.
        triples: head, relation, tail of each, (triples, 3).
        entities: how many there are; relations likewise.
    """

    likes: csr_matrix
    titles: list[str]
    entity_of: NDArray[np.int64]
    triples: NDArray[np.int64]
    entities: int
    relations: int


def inputs_of(exported: Exported, likes: csr_matrix, items: pl.DataFrame) -> Inputs:
    """
    Args:
        exported: its graph and links.
        likes: of the training split, users x items.
        items: item_id and its columns, by index.
    """
    triples = exported.kg.select(pl.all().str.slice(1).cast(pl.Int64)).to_numpy()  # tokens are e0, e1, … and r0, r1, …
    entity_of = np.full(len(items), NO_ENTITY, dtype=np.int64)
    links = exported.link.select(pl.col("item_id").cast(pl.Int64), pl.col("entity_id").str.slice(1).cast(pl.Int64))
    entity_of[links["item_id"].to_numpy()] = links["entity_id"].to_numpy()
    column = title_column(items)
    titles = [""] * len(items) if column is None else items[column].cast(pl.String).fill_null("").to_list()
    return Inputs(
        likes,
        titles,
        entity_of,
        triples,
        entities=int(triples[:, [0, 2]].max(initial=-1)) + 1,
        relations=int(triples[:, 1].max(initial=-1)) + 1,
    )


def words_of(titles: list[str], length: int) -> tuple[NDArray[np.int64], int]:
    """The first words of each title as numbers, (items, length), and one more than the highest number.

    0 stands after the last word. Words are in lower case; those of one title alone share number 1 with titles that have no word.
    """
    words = [WORD.findall(title.lower())[:length] for title in titles]
    of_titles = pl.DataFrame({"words": words}, schema={"words": pl.List(pl.String)}).select(
        pl.col("words").list.unique()
    )
    counted = of_titles.explode("words").drop_nulls().group_by("words").len().filter(pl.col("len") > 1)
    number = {word: place + 2 for place, word in enumerate(sorted(counted["words"]))}
    rows = np.zeros((len(titles), length), dtype=np.int64)
    for row, of_title in zip(rows, words, strict=True):
        found = [number.get(word, 1) for word in of_title] or [1]
        row[: len(found)] = found
    return rows, len(number) + 2


def neighbours_of(triples: NDArray[np.int64], entities: int) -> list[NDArray[np.int64]]:
    """The relations and neighbours of each entity as rows, (neighbours, 2); an edge leads both ways."""
    both = np.concatenate([triples, triples[:, [2, 1, 0]]])
    both = both[np.argsort(both[:, 0], kind="stable")]
    ends = np.searchsorted(both[:, 0], np.arange(entities + 1))
    return [both[start:end, 1:] for start, end in pairwise(ends)]
