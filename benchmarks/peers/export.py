"""Our split, our graph and our links as RecBole's atomic files.

Users, items, entities and relations are written as their indices: ids of a source may hold whatever characters, and
the way back from RecBole's numbering is an integer.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import polars as pl

from pipeline.artifacts.data import INTERACTIONS, ITEMS, SOURCE_ITEM_ENTITIES, SOURCE_KG

# RecBole has a data set named `ml-100k` inside its package and takes that one whatever `data_path` says.
NAME = "exported"
# RecBole wants three files and is given no test split: validation stands in its place, and neither is read in training.
BENCHMARK_FILES = ("train", "valid", "valid")
COLUMNS = {
    "inter": ["user_id", "item_id"],
    "item": ["item_id"],
    "kg": ["head_id", "relation_id", "tail_id"],
    "link": ["item_id", "entity_id"],
}


@dataclass(frozen=True)
class Exported:
    """Tables of strings, in the columns of `COLUMNS`.

    Attributes:
        likes: split to its likes; training and validation only.
        items: the whole catalogue, so that RecBole knows items without a like in training.
        kg: triples of the graph.
        link: items and their entities, one to one.
    """

    likes: dict[str, pl.DataFrame]
    items: pl.DataFrame
    kg: pl.DataFrame
    link: pl.DataFrame

    def write(self, folder: Path) -> None:
        target = folder / NAME
        target.mkdir(parents=True, exist_ok=True)
        for split, likes in self.likes.items():
            _write(likes, target / f"{NAME}.{split}.inter")
        _write(self.items, target / f"{NAME}.item")
        _write(self.kg, target / f"{NAME}.kg")
        _write(self.link, target / f"{NAME}.link")


def of_artifacts(dataset: str) -> Exported:
    """
    Raises:
        InputError: an artifact is missing; `dvc repro` makes it.
    """
    return export(
        INTERACTIONS.read(dataset),
        ITEMS.read(dataset),
        SOURCE_KG.read(dataset),
        SOURCE_ITEM_ENTITIES.read(dataset),
    )


def export(interactions: pl.DataFrame, items: pl.DataFrame, kg: pl.DataFrame, item_entities: pl.DataFrame) -> Exported:
    """
    Args:
        interactions: user, item, like, split.
        items: item, item_id.
        kg: head, relation, tail.
        item_entities: item_id, entity_id.
    """
    likes = {
        split: interactions.filter((pl.col("split") == split) & pl.col("like")).select(
            pl.col("user").cast(pl.String).alias("user_id"), pl.col("item").cast(pl.String).alias("item_id")
        )
        for split in ("train", "valid")
    }
    entities = _numbered(pl.concat([kg["head"], kg["tail"]]), "entity_id", "e")
    relations = _numbered(kg["relation"], "relation", "r")
    triples = (
        kg.join(entities.rename({"entity_id": "head", "token": "head_id"}), on="head", maintain_order="left")
        .join(relations.rename({"token": "relation_id"}), on="relation", maintain_order="left")
        .join(entities.rename({"entity_id": "tail", "token": "tail_id"}), on="tail", maintain_order="left")
        .select(COLUMNS["kg"])
    )
    link = _one_to_one(items, item_entities).join(entities, on="entity_id", maintain_order="left")
    return Exported(
        likes,
        items.select(pl.col("item").cast(pl.String).alias("item_id")),
        triples,
        link.select(pl.col("item").cast(pl.String).alias("item_id"), pl.col("token").alias("entity_id")).filter(
            pl.col("entity_id").is_in(entities["token"].to_list())
        ),
    )


def _numbered(names: pl.Series, column: str, prefix: str) -> pl.DataFrame:
    """Each name once, with a token: the prefix and its number."""
    known = names.unique().sort().alias(column).to_frame().with_row_index("number")
    return known.select(column, token=pl.format(f"{prefix}{{}}", "number"))


def _one_to_one(items: pl.DataFrame, item_entities: pl.DataFrame) -> pl.DataFrame:
    """The first entity of each item that no earlier item has taken: RecBole merges both into one id space."""
    taken: set[str] = set()
    rows: list[tuple[int, str]] = []
    pairs = items.select("item", "item_id").join(item_entities, on="item_id").sort("item", "entity_id")
    for (item,), of_item in pairs.group_by("item", maintain_order=True):
        free = [entity for entity in of_item["entity_id"] if entity not in taken]
        if free:
            taken.add(free[0])
            rows.append((item, free[0]))
    return pl.DataFrame(rows, schema={"item": pl.Int32, "entity_id": pl.String}, orient="row")


def _write(frame: pl.DataFrame, path: Path) -> None:
    frame.rename({name: f"{name}:token" for name in frame.columns}).write_csv(path, separator="\t")
