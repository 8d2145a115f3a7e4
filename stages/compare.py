"""Compare all systems: figures, intervals, paired differences, slices and warnings (`pipeline.evaluation`)."""

from __future__ import annotations

from pipeline.artifacts.evaluation import (
    CAUTIONS,
    DIFFERENCES,
    INTERVALS,
    LEFT_OUT,
    METRICS,
    PER_USER,
    SLICES,
    WARNINGS,
)
from pipeline.artifacts.graph import GRAPH_CAUTIONS, NEIGHBOURS
from pipeline.artifacts.structure import STRUCTURE_VECTORS
from pipeline.artifacts.text import TEXT_VECTORS
from pipeline.evaluation.comparison.suite import ComparisonConfig, alone, compare_systems, table
from pipeline.evaluation.comparison.warnings import beaten_warnings
from pipeline.evaluation.systems.cautions import collapse_warnings
from pipeline.evaluation.systems.several import Systems
from pipeline.parameters.runs import RunSystems
from stages.guard import show
from stages.shared.data import DATA, read_data
from stages.shared.diversity import read_diversity
from stages.shared.no_longer_run import clear_no_longer_run
from stages.shared.stage import Reads, Settings, Stage, run_stage, say, warn
from stages.shared.tables import of_systems, read_tables

STAGE = Stage(
    "compare",
    settings=Reads(run=RunSystems, stage=ComparisonConfig),
    reads=(
        *DATA,
        GRAPH_CAUTIONS,
        NEIGHBOURS,
        TEXT_VECTORS,
        STRUCTURE_VECTORS,
        CAUTIONS.of(group="variants"),
        LEFT_OUT,
        *of_systems({"group": "variants"}),
        *of_systems({"group": "baselines"}),
    ),
    writes=(METRICS, INTERVALS, DIFFERENCES, SLICES, WARNINGS),
)


def main(dataset: str, settings: Settings) -> None:
    run, config = settings.run(RunSystems), settings.stage(ComparisonConfig)
    variants = run.run_variants
    data = read_data(dataset)
    baselines = []
    for name in sorted(run.run_baselines):
        why = LEFT_OUT.of(variant=name).read(dataset)
        if why:
            say(dataset, "compare", f"{name} is left out: {why[0]}")
        else:
            baselines.append(name)
    of_groups = {"variants": variants, "baselines": baselines}
    systems = Systems.joined(
        read_tables(dataset, {"group": group, "variant": name}) for group, names in of_groups.items() for name in names
    )
    systems = read_diversity(systems, dataset, data.items)
    found = compare_systems(systems, data, [(alone(variants), alone(baselines))], config, run.seed)
    METRICS.write(found.as_nested(), dataset)
    INTERVALS.write(found.intervals(), dataset)
    DIFFERENCES.write(found.differences.drop("runs"), dataset)
    SLICES.write(found.slices, dataset)
    metrics = METRICS.read(dataset)
    show(f"\n{dataset}, test split: {data.sizes}\n")
    show(f"{table(metrics, found.intervals(), found.differences)}\n")
    warnings = GRAPH_CAUTIONS.read(dataset)
    warnings += collapse_warnings(
        {
            "text vectors": TEXT_VECTORS.read(dataset)["vectors"],
            "structural vectors": STRUCTURE_VECTORS.read(dataset)["vectors"],
        }
    )
    for name in variants:
        warnings += CAUTIONS.of(group="variants", variant=name).read(dataset)
    warnings += beaten_warnings(found.differences)
    WARNINGS.write(warnings, dataset)
    for group, names in {"variants": variants, "baselines": run.run_baselines}.items():
        clear_no_longer_run(dataset, "compare", PER_USER.of(group=group), names)
    warn(dataset, "compare", warnings)


if __name__ == "__main__":
    run_stage(STAGE, main)
