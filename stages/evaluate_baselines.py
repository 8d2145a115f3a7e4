"""Fit a baseline, choose its setting on validation, and evaluate it on the test split (`pipeline.evaluation`)."""

from __future__ import annotations

import polars as pl

from pipeline.artifacts.data import ITEMS
from pipeline.artifacts.evaluation import CHOSEN_BASELINES, LEFT_OUT
from pipeline.artifacts.graph import NEIGHBOURS
from pipeline.common.settings import SeedConfig
from pipeline.evaluation.baselines.choice import choose
from pipeline.evaluation.baselines.registry import BaselineSettings
from pipeline.evaluation.systems.system import evaluate_system, thresholds_of
from pipeline.graph.matrices import incidence_of
from stages.shared.data import DATA, read_data
from stages.shared.engine import engine
from stages.shared.stage import Reads, Settings, Stage, run_baseline_stage, say
from stages.shared.tables import of_systems, write_tables

STAGE = Stage(
    "evaluate_baselines",
    settings=Reads(run=SeedConfig, stage=BaselineSettings, section="baselines"),
    reads=(*DATA, NEIGHBOURS),
    writes=(*of_systems({"group": "baselines"}), CHOSEN_BASELINES, LEFT_OUT),
)


def main(dataset: str, baseline: str, settings: Settings) -> None:
    run, config = settings.run(SeedConfig), settings.stage(BaselineSettings)
    grid = config.grid(baseline)
    data = read_data(
        dataset, incidence_of(NEIGHBOURS.read(dataset), len(ITEMS.read(dataset))) if grid.reads_graph else None
    )
    why = grid.left_out(data)
    LEFT_OUT.of(variant=baseline).write([why] if why else [], dataset)
    if why:
        say(dataset, "evaluate_baselines", f"{baseline} is left out: {why}")
        return
    chosen, tried = choose(data, baseline, grid, config.chosen_by, run.seed)
    scorer, thresholds = chosen.scorer, thresholds_of(chosen.on_validation.scored)
    # What else is known of validation is as large as what the test split takes.
    del chosen
    with engine(settings, dataset, f"evaluate_baselines.{baseline}") as map_blocks:
        tables = evaluate_system(baseline, scorer, data, thresholds, map_blocks)
    write_tables(tables, dataset, {"group": "baselines", "variant": baseline})
    CHOSEN_BASELINES.of(variant=baseline).write(pl.DataFrame([vars(each) for each in tried]), dataset)
    setting = next(each.setting for each in tried if each.chosen)
    say(dataset, "evaluate_baselines", f"{baseline} evaluated{f' with {setting}' if setting else ''}")


if __name__ == "__main__":
    run_baseline_stage(STAGE, main)
