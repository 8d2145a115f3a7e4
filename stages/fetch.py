"""Get the data set from its source and store it as four tidy tables (`pipeline.data.sources`)."""

from __future__ import annotations

from dataclasses import replace

from pipeline.artifacts.data import (
    SOURCE_IMAGES,
    SOURCE_INTERACTIONS,
    SOURCE_ITEM_ENTITIES,
    SOURCE_ITEMS,
    SOURCE_KG,
    SOURCE_VECTORS,
)
from pipeline.data.sources import SourceConfig
from stages.shared.stage import Reads, Settings, Stage, run_stage, say

# What `fetch` writes beside them is not made of them.
VECTORS = replace(SOURCE_VECTORS, traced=False)
STAGE = Stage(
    "fetch",
    settings=Reads(dataset=SourceConfig),
    writes=(SOURCE_INTERACTIONS, SOURCE_ITEMS, SOURCE_KG, SOURCE_ITEM_ENTITIES, SOURCE_IMAGES, SOURCE_VECTORS),
)


def main(dataset: str, settings: Settings) -> None:
    tables = settings.dataset(SourceConfig).read()
    # First: they are not to say that they are made of what is written before them.
    SOURCE_IMAGES.write(tables.images, dataset)
    VECTORS.write(tables.vectors, dataset)
    SOURCE_INTERACTIONS.write(tables.interactions, dataset)
    SOURCE_ITEMS.write(tables.items, dataset)
    SOURCE_ITEM_ENTITIES.write(tables.item_entities, dataset)
    # Last: what is written after it would say that it is made of it, and change with it.
    SOURCE_KG.write(tables.kg, dataset)
    for remark in tables.remarks:
        say(dataset, "fetch", remark)
    counts = f"{len(tables.interactions)} interactions, {len(tables.items)} items, {len(tables.kg)} triples"
    say(dataset, "fetch", f"{counts}, {len(tables.item_entities)} links of items to entities")


if __name__ == "__main__":
    run_stage(STAGE, main)
