"""Lay ablations beside the variants that they are ablations of: what does each part contribute?"""

from __future__ import annotations

import polars as pl

from pipeline.artifacts import all as artifacts
from pipeline.evaluation.comparison.suite import ComparisonConfig, alone, compare_systems, over_enough_runs, table
from pipeline.evaluation.systems.system import SystemTables
from pipeline.parameters.runs import RunAblations, runs_of
from stages.data import read_data
from stages.stage import Reads, Settings, run_stage
from stages.tables import read_tables

READS = Reads(run=RunAblations, profile=ComparisonConfig, section="compare")


def main(dataset: str, settings: Settings) -> None:
    run, config = settings.run(RunAblations), settings.profile(ComparisonConfig)
    data = read_data(dataset)
    tables = SystemTables.joined(
        [read_tables(dataset, {"group": "variants", "variant": name}) for name in run.run_variants]
        + [read_tables(dataset, {"group": "ablations", "variant": name}) for name in run.ablations]
    )
    ...


if __name__ == "__main__":
    run_stage("compare_ablations", READS, main)
