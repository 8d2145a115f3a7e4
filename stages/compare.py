"""Lay all systems side by side: figures, intervals, paired differences, slices and warnings."""

from __future__ import annotations

from pipeline.artifacts import all as artifacts
from pipeline.evaluation.caution import beaten_warnings, collapse_warnings
from pipeline.evaluation.suite import ComparisonConfig, compare_systems, table
from pipeline.evaluation.system import SystemTables
from pipeline.parameters.runs import RunVariants
from stages.data import read_data
from stages.stage import Reads, Settings, run_stage, warn
from stages.tables import read_tables

READS = Reads(run=RunVariants, stage=ComparisonConfig)


def main(dataset: str, settings: Settings) -> None:
    run, config = settings.run(RunVariants), settings.stage(ComparisonConfig)
    variants = run.run_variants
    data = read_data(dataset)
    tables = SystemTables.joined(
        [read_tables(dataset, {"group": "variants", "variant": name}) for name in variants]
        + [read_tables(dataset, artifacts.BASELINES)]
    )
    systems = tables.per_user["system"].unique(maintain_order=True).to_list()
    baselines = [system for system in systems if system not in variants]
    found = compare_systems(tables, data, variants, baselines, config, run.seed)
    artifacts.METRICS.write(found.as_nested(), dataset)
    artifacts.INTERVALS.write(found.intervals(), dataset)
    artifacts.DIFFERENCES.write(found.differences, dataset)
    artifacts.SLICES.write(found.slices, dataset)
    metrics = artifacts.METRICS.read(dataset)
    print(f"\n{dataset}, test split: {data.users} users, {data.items} items\n")
    print(f"{table(metrics, found.intervals(), found.differences)}\n")
    warnings = artifacts.GRAPH_CAUTIONS.read(dataset)
    warnings += collapse_warnings(
        {
            "text vectors": artifacts.TEXT_VECTORS.read(dataset)["vectors"],
            "structural vectors": artifacts.STRUCTURE_VECTORS.read(dataset)["vectors"],
        }
    )
    for name in variants:
        warnings += artifacts.CAUTIONS.of(group="variants", variant=name).read(dataset)
    warnings += beaten_warnings(found.differences)
    artifacts.WARNINGS.write(warnings, dataset)
    warn(dataset, "compare", warnings)


if __name__ == "__main__":
    run_stage("compare", READS, main)
