"""Read the data set's tables and try all that is done with them, before any output is replaced."""

from __future__ import annotations

import polars as pl

from pipeline.artifacts import all as artifacts
from pipeline.common.settings import SeedConfig
from pipeline.data.prepare import prepare
from pipeline.data.settings import DatasetConfig
from pipeline.data.sources import SourceConfig
from pipeline.data.sources.recbole_wheel import RecboleWheelSource
from pipeline.text.settings import TextTemplateConfig
from pipeline.text.template import item_texts
from stages.stage import Reads, Settings, run_stage


class TablesConfig(SourceConfig, DatasetConfig, TextTemplateConfig):
    """What decides whether tables can be used."""


READS = Reads(run=SeedConfig, dataset=TablesConfig)


def main(dataset: str, settings: Settings) -> None:
    config, seed = settings.dataset(TablesConfig), settings.run(SeedConfig).seed
    found = tables_of(config, dataset)
    if found is not None:
        interactions, items, links = found
        item_texts(items, config.text_template)
        prepare(interactions, items, links, config, seed)
    artifacts.TABLES_CHECKED.write("the tables can be used\n", dataset)


def tables_of(config: TablesConfig, dataset: str) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame] | None:
    """Interactions, items and links; None where they are still to be fetched, and no output is there to be lost."""
    if not isinstance(config.source, RecboleWheelSource):
        tables = config.source.read()
        return tables.interactions, tables.items, tables.item_entities
    parts = (artifacts.SOURCE_INTERACTIONS, artifacts.SOURCE_ITEMS, artifacts.SOURCE_ITEM_ENTITIES)
    if not all(part.at(dataset).is_file() for part in parts):
        return None
    interactions, items, links = (part.read(dataset) for part in parts)
    return interactions, items, links


if __name__ == "__main__":
    run_stage("check_tables", READS, main)
