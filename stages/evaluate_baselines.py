"""Fit the baselines, choose their settings on validation, and evaluate them on the test split."""

from __future__ import annotations

import polars as pl

from pipeline.artifacts.evaluation import BASELINES, CHOSEN_BASELINES
from pipeline.common.settings import SeedConfig
from pipeline.evaluation.baselines.choice import BaselineConfig, Tried, choose, left_out
from pipeline.evaluation.systems.system import SystemTables, evaluate_system
from stages.data import DATA, read_data
from stages.stage import Reads, Settings, Stage, run_stage, say
from stages.tables import of_systems, write_tables

STAGE = Stage(
    "evaluate_baselines",
    settings=Reads(run=SeedConfig, stage=BaselineConfig),
    reads=(*DATA,),
    writes=(*of_systems(BASELINES), CHOSEN_BASELINES),
)


def main(dataset: str, settings: Settings) -> None:
    run, config = settings.run(SeedConfig), settings.stage(BaselineConfig)
    data = read_data(dataset)
    for system, why in left_out(config, data).items():
        say(dataset, "evaluate_baselines", f"{system} is left out: {why}")
    evaluated: list[SystemTables] = []
    tried: list[Tried] = []
    for chosen, settings_tried in choose(data, config, run.seed):
        evaluated.append(evaluate_system(chosen.system, chosen.scorer, data, chosen.on_validation))
        tried += settings_tried
        setting = next(each.setting for each in settings_tried if each.chosen)
        say(dataset, "evaluate_baselines", f"{chosen.system} evaluated{f' with {setting}' if setting else ''}")
    tables = SystemTables.joined(evaluated)
    write_tables(tables, dataset, BASELINES)
    CHOSEN_BASELINES.write(pl.DataFrame([vars(each) for each in tried]), dataset)


if __name__ == "__main__":
    run_stage(STAGE, main)
