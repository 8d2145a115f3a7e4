"""Lay ablations beside the variants that they are ablations of: what does each part contribute?"""

from __future__ import annotations

from pipeline.artifacts.evaluation import ABLATION_DIFFERENCES, ABLATION_METRICS, ABLATION_SLICES
from pipeline.evaluation.suite import ComparisonConfig, compare_systems, table
from pipeline.evaluation.system import SystemTables
from pipeline.parameters.runs import RunAblations
from stages.data import read_data
from stages.stage import Reads, Settings, run_stage
from stages.tables import read_tables

READS = Reads(run=RunAblations, stage=ComparisonConfig, section="compare")


def main(dataset: str, settings: Settings) -> None:
    run, config = settings.run(RunAblations), settings.stage(ComparisonConfig)
    against, ablations = run.run_variants, list(run.ablations)
    data = read_data(dataset)
    tables = SystemTables.joined(
        [read_tables(dataset, {"group": "variants", "variant": name}) for name in against]
        + [read_tables(dataset, {"group": "ablations", "variant": name}) for name in ablations]
    )
    found = compare_systems(tables, data, ablations, against, config, run.seed)
    ABLATION_METRICS.write(found.as_nested(), dataset)
    ABLATION_DIFFERENCES.write(found.differences, dataset)
    ABLATION_SLICES.write(found.slices, dataset)
    print(
        f"\n{dataset}, test split: {data.users} users, {data.items} items; + and - against the best of {', '.join(against)}\n"
    )
    metrics = ABLATION_METRICS.read(dataset)
    print(f"{table(metrics, found.intervals(), found.differences)}\n")


if __name__ == "__main__":
    run_stage("compare_ablations", READS, main)
