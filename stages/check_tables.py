"""Read the data set's tables and check that all later steps can use them, before any output is replaced: `pipeline.data`,
`pipeline.text`, and the rules of `pipeline.recommend`.
"""

from __future__ import annotations

import polars as pl

from pipeline.artifacts.added import ADDED, read_added_items
from pipeline.artifacts.data import TABLES_CHECKED
from pipeline.common.settings import SeedConfig
from pipeline.data.prepare import prepare
from pipeline.data.settings import DatasetConfig
from pipeline.data.sources import SourceConfig
from pipeline.recommend.rules import rules_of
from pipeline.recommend.settings import RecommendConfig
from pipeline.text.settings import TextTemplateConfig
from pipeline.text.template import item_texts
from stages import PARAMS
from stages.shared.stage import Reads, Settings, Stage, run_stage


class TablesConfig(SourceConfig, DatasetConfig, TextTemplateConfig):
    """What decides whether tables can be used."""


STAGE = Stage(
    "check_tables",
    settings=Reads(run=SeedConfig, dataset=TablesConfig, stage=RecommendConfig, section="recommend"),
    reads=ADDED,
    writes=(TABLES_CHECKED,),
)


def main(dataset: str, settings: Settings) -> None:
    config, seed = settings.dataset(TablesConfig), settings.run(SeedConfig).seed
    tables = config.read()
    item_texts(tables.items, config.text_template)
    prepared = prepare(tables.interactions, tables.items, tables.item_entities, config, seed)
    known = prepared.items.drop("item")
    added = read_added_items(dataset, known).join(known, on="item_id", how="anti")
    rules_of(
        settings.stage(RecommendConfig),
        pl.concat([known, added]),
        lambda setting: f"{PARAMS}: recommend.{setting}, data set {dataset}",
    )
    TABLES_CHECKED.write("the tables can be used\n", dataset)


if __name__ == "__main__":
    run_stage(STAGE, main)
