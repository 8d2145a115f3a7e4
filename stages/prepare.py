"""Likes and dislikes, filters, dense indices, splits, and the unrated candidates of the ctr protocol."""

from __future__ import annotations

from pipeline.artifacts import all as artifacts
from pipeline.common.settings import SeedConfig
from pipeline.data.prepare import prepare
from pipeline.data.settings import DatasetConfig
from stages.stage import Reads, Settings, run_stage, say

READS = Reads(run=SeedConfig, dataset=DatasetConfig)


def main(dataset: str, settings: Settings) -> None:
    prepared = prepare(
        artifacts.SOURCE_INTERACTIONS.read(dataset),
        artifacts.SOURCE_ITEMS.read(dataset),
        artifacts.SOURCE_ITEM_ENTITIES.read(dataset),
        settings.dataset(DatasetConfig),
        settings.run(SeedConfig).seed,
    )
    artifacts.ITEMS.write(prepared.items, dataset)
    artifacts.USERS.write(prepared.users, dataset)
    artifacts.INTERACTIONS.write(prepared.interactions, dataset)
    artifacts.UNRATED_CANDIDATES.write(prepared.unrated_candidates, dataset)
    for remark in prepared.remarks:
        say(dataset, "prepare", remark)


if __name__ == "__main__":
    run_stage("prepare", READS, main)
