"""Make likes and dislikes, dense indices, splits and the unrated candidates of the ctr protocol, after the filters (`pipeline.data`)."""

from __future__ import annotations

from dataclasses import replace

from pipeline.artifacts.data import (
    INTERACTIONS,
    ITEMS,
    SAMPLED_ZEROS,
    SOURCE_INTERACTIONS,
    SOURCE_ITEM_ENTITIES,
    SOURCE_ITEMS,
    UNRATED_CANDIDATES,
    USERS,
)
from pipeline.common.settings import SeedConfig
from pipeline.data.prepare import prepare
from pipeline.data.settings import DatasetConfig
from stages.shared.stage import Reads, Settings, Stage, run_stage, say

# Only which items have a link is asked: items and ratings are the same with other links, and are not to say that they are made of these.
LINKED_ITEMS = replace(SOURCE_ITEM_ENTITIES, traced=False)
STAGE = Stage(
    "prepare",
    settings=Reads(run=SeedConfig, dataset=DatasetConfig),
    reads=(SOURCE_INTERACTIONS, SOURCE_ITEMS, LINKED_ITEMS),
    writes=(ITEMS, USERS, INTERACTIONS, UNRATED_CANDIDATES, SAMPLED_ZEROS),
)


def main(dataset: str, settings: Settings) -> None:
    prepared = prepare(
        SOURCE_INTERACTIONS.read(dataset),
        SOURCE_ITEMS.read(dataset),
        LINKED_ITEMS.read(dataset),
        settings.dataset(DatasetConfig),
        settings.run(SeedConfig).seed,
    )
    ITEMS.write(prepared.items, dataset)
    USERS.write(prepared.users, dataset)
    INTERACTIONS.write(prepared.interactions, dataset)
    UNRATED_CANDIDATES.write(prepared.unrated_candidates, dataset)
    SAMPLED_ZEROS.write(prepared.sampled_zeros, dataset)
    for remark in prepared.remarks:
        say(dataset, "prepare", remark)


if __name__ == "__main__":
    run_stage(STAGE, main)
