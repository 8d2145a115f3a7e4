"""Compute text vectors, places in the graph and structural vectors of items that were added after training, without training anything."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import polars as pl
from scipy.sparse import csr_matrix, diags

from pipeline.artifacts.added import (
    ADDED,
    ADDED_ITEM_ENTITIES,
    ADDED_ITEMS,
    ADDED_KG,
    ADDED_VECTORS,
    MORE,
    MORE_EDGES,
    MORE_ITEM_ENTITIES,
    MORE_ITEMS,
    MORE_KG,
    MORE_RELATIONS,
    MORE_VECTORS,
)
from pipeline.artifacts.data import ITEMS, SOURCE_ITEMS, SOURCE_KG, SOURCE_VECTORS
from pipeline.artifacts.graph import ENTITIES, GRAPH_CAUTIONS, RELATIONS
from pipeline.artifacts.structure import (
    DERIVED_EDGES,
    GAT_WEIGHTS,
    INITIAL_VECTORS,
    SDNE_ENCODER,
    edges_of,
    structure_names,
)
from pipeline.artifacts.text import TEXT_VECTORS
from pipeline.common.config import validated
from pipeline.common.errors import InputError
from pipeline.common.settings import DeviceConfig
from pipeline.data.item_vectors import rows_of_items
from pipeline.data.sources import SourceConfig
from pipeline.data.sources.facts import facts_of_added
from pipeline.data.sources.tidy import NO_LINKS, NO_TRIPLES
from pipeline.graph.added_items import around_added
from pipeline.graph.matrices import adjacency_of_added, attending_to, edge_index
from pipeline.graph.settings import ItemGraphConfig
from pipeline.structure.gat.settings import GatConfig
from pipeline.text.settings import TextConfig, TextTemplateConfig
from pipeline.text.template import item_texts
from stages.shared.stage import Reads, Settings, Stage, run_stage, say, warn

if TYPE_CHECKING:
    from numpy.typing import NDArray


class AddedConfig(SourceConfig, TextTemplateConfig, ItemGraphConfig):
    """What is chosen per data set and concerns its items."""


STAGE = Stage(
    "add_items",
    settings=Reads(run=DeviceConfig, dataset=AddedConfig, stage=TextConfig, section="embed_text"),
    reads=(
        *ADDED,
        ITEMS,
        SOURCE_ITEMS,
        SOURCE_KG,
        SOURCE_VECTORS,
        TEXT_VECTORS,
        RELATIONS,
        ENTITIES,
        GRAPH_CAUTIONS,
        DERIVED_EDGES,
        INITIAL_VECTORS,
        SDNE_ENCODER,
        GAT_WEIGHTS,
    ),
    writes=MORE,
)


class Tables(NamedTuple):
    """Of items to be added: item_id and columns; head, relation, tail; item_id, entity_id."""

    items: pl.DataFrame
    kg: pl.DataFrame
    links: pl.DataFrame


def main(dataset: str, settings: Settings) -> None:
    tables, first = _added(dataset)
    count = len(tables.items)
    config = settings.dataset(AddedConfig)
    relations, edges = (pl.DataFrame(schema=kind.columns) for kind in (MORE_RELATIONS, MORE_EDGES))
    vectors = dict.fromkeys(("text", "initial", "structure"), np.zeros((0, 0), dtype=np.float32))
    if count:
        tables = _with_facts(dataset, tables, getattr(config.source, "facts", []))
        around = around_added(
            pl.concat([SOURCE_KG.read(dataset), tables.kg]),
            tables.links,
            tables.items["item_id"].to_list(),
            RELATIONS.read(dataset),
            ENTITIES.read(dataset),
            config,
        )
        relations, edges = around
        # They tell whether the edges are of these tables.
        GRAPH_CAUTIONS.read(dataset)
        vectors = _structure(dataset, edges, first, count)
        vectors["text"] = _text(dataset, tables.items, config, settings)
        vectors |= _given(dataset, tables.items["item_id"])
    numbered = tables.items.with_columns(item=pl.int_range(first, first + count, dtype=pl.Int32))
    MORE_ITEMS.write(numbered, dataset)
    MORE_KG.write(tables.kg, dataset)
    MORE_ITEM_ENTITIES.write(tables.links, dataset)
    MORE_RELATIONS.write(relations, dataset)
    MORE_EDGES.write(edges, dataset)
    MORE_VECTORS.write(vectors, dataset)
    _tell(dataset, tables, relations, edges, vectors["text"])


def _added(dataset: str) -> tuple[Tables, int]:
    """What was added, without what the data set has by now, and the number of the first of them.

    Where nothing was added nothing else is read: what is made of nothing is not outdated by another version of the data set.
    """
    items = ADDED_ITEMS.read(dataset) if ADDED_ITEMS.at(dataset).is_file() else None
    if items is None or items.is_empty():
        return Tables(pl.DataFrame(schema={"item_id": pl.String}), NO_TRIPLES, NO_LINKS), 0
    known, links = ITEMS.read(dataset), ADDED_ITEM_ENTITIES.read(dataset)
    by_now = items["item_id"].is_in(known["item_id"].implode())
    if by_now.any():
        say(
            dataset,
            "add_items",
            f"{int(by_now.sum())} of {len(items)} added items are now in the data set and no longer count as added",
        )
        items = items.filter(~by_now)
        links = links.filter(pl.col("item_id").is_in(items["item_id"].implode()))
    return Tables(items, ADDED_KG.read(dataset), links), len(known)


def _with_facts(dataset: str, tables: Tables, facts: list[str]) -> Tables:
    if not facts:
        return tables
    kg, links = facts_of_added(SOURCE_ITEMS.read(dataset), SOURCE_KG.read(dataset), tables.items, facts)
    return Tables(tables.items, kg, links)


def _text(dataset: str, items: pl.DataFrame, config: AddedConfig, settings: Settings) -> NDArray[np.float32]:
    texts = item_texts(items, config.text_template)
    if not any(texts):
        return np.zeros((len(items), TEXT_VECTORS.read(dataset)["vectors"].shape[1]), dtype=np.float32)
    # They take seconds to load, and mostly nothing was added.
    from pipeline.common.devices import torch_device
    from pipeline.text.encoder import TextEncoder

    return TextEncoder(settings.stage(TextConfig), torch_device(settings.run(DeviceConfig).device)).encode(texts)


def _given(dataset: str, ids: pl.Series) -> dict[str, NDArray[np.float32]]:
    """Vectors that lay beside their tables, a row for each item, of zeros where it has none.

    Raises:
        InputError: vectors of the data set's own items have another width.
    """
    table = ADDED_VECTORS.read(dataset) if ADDED_VECTORS.at(dataset).is_file() else None
    if table is None or table.is_empty():
        return {}
    known = SOURCE_VECTORS.read(dataset).schema
    for name, kind in table.drop("item_id").schema.items():
        if name in known and kind != known[name]:
            raise InputError(
                f"{ADDED_VECTORS.at(dataset)}: column {name}: found {kind}, expected {known[name]}, as the items of {dataset} now have; "
                "add these items again"
            )
    return {f"given.{name}": rows for name, rows in rows_of_items(ids, table).items() if name in known}


def _structure(dataset: str, edges: pl.DataFrame, items: int, count: int) -> dict[str, NDArray[np.float32]]:
    from pipeline.structure.gat.added_nodes import vectors_of_added
    from pipeline.structure.sdne.further_rows import codes_of

    names = structure_names(None)
    known, stored = INITIAL_VECTORS.of(**names).read(dataset)["vectors"], SDNE_ENCODER.of(**names)
    rows, encoder = adjacency_of_added(edges, items, count), stored.read(dataset)
    activation = stored.about(dataset)["activation"]
    # An embedding of karateclub makes none of other nodes: the mean of those around is as near as can be.
    initial = codes_of(rows, encoder, activation) if encoder else _means(rows) @ known
    gat = GAT_WEIGHTS.of(**names)
    config, weights = validated(GatConfig, gat.about(dataset), f"{gat.at(dataset)}: "), gat.read(dataset)
    if not weights:
        # No item has an edge.
        return {"initial": initial, "structure": np.zeros((count, config.output_width), dtype=np.float32)}
    both = np.concatenate([edge_index(edges_of(None).read(dataset)), attending_to(edges, items)], axis=1)
    structure = vectors_of_added(np.concatenate([known, initial]), both, weights, config, count)
    return {"initial": initial, "structure": structure}


def _means(rows: csr_matrix) -> csr_matrix:
    return diags(1 / np.maximum(np.asarray(rows.sum(axis=1)).ravel(), 1)).astype(np.float32) @ rows


def _tell(
    dataset: str, tables: Tables, relations: pl.DataFrame, edges: pl.DataFrame, text: NDArray[np.float32]
) -> None:
    count = len(tables.items)
    if not count:
        say(dataset, "add_items", "nothing is added")
        return
    joined = edges["target"].n_unique()
    say(
        dataset,
        "add_items",
        f"{count} items: {int(text.any(axis=1).sum())} with a text, {relations['item'].n_unique()} with entities, {joined} with edges",
    )
    nothing = np.setdiff1d(np.flatnonzero(~text.any(axis=1)), relations["item"].to_numpy())
    if len(nothing):
        names = ", ".join(tables.items["item_id"].gather(nothing[:3].tolist()))
        warn(
            dataset,
            "add_items",
            [
                f"{len(nothing)} of {count} added items have neither text nor entities, such as {names}: nothing is known about them"
            ],
        )


if __name__ == "__main__":
    run_stage(STAGE, main)
