"""Compare ablations with the variants that they change, to see what each part contributes (`pipeline.evaluation`)."""

from __future__ import annotations

from pipeline.artifacts.evaluation import ABLATION_DIFFERENCES, ABLATION_METRICS, ABLATION_SLICES, PER_USER
from pipeline.artifacts.graph import NEIGHBOURS
from pipeline.artifacts.text import TEXT_VECTORS
from pipeline.evaluation.comparison.suite import (
    ComparisonConfig,
    compare_systems,
    over_enough_runs,
    seeds_note,
    table,
    unchanged,
)
from pipeline.evaluation.systems.several import Systems
from pipeline.parameters.runs import RunAblations, runs_of
from stages.guard import show
from stages.shared.data import DATA, read_data
from stages.shared.diversity import read_diversity
from stages.shared.no_longer_run import clear_no_longer_run
from stages.shared.stage import Reads, Settings, Stage, run_stage
from stages.shared.tables import of_systems, read_tables

STAGE = Stage(
    "compare_ablations",
    settings=Reads(run=RunAblations, stage=ComparisonConfig, section="compare"),
    reads=(*DATA, NEIGHBOURS, TEXT_VECTORS, *of_systems({"group": "variants"}), *of_systems({"group": "ablations"})),
    writes=(ABLATION_METRICS, ABLATION_DIFFERENCES, ABLATION_SLICES),
)


def main(dataset: str, settings: Settings) -> None:
    run, config = settings.run(RunAblations), settings.stage(ComparisonConfig)
    data = read_data(dataset)
    of_groups = {"variants": run.run_variants, "ablations": run.ablations}
    together = Systems.joined(
        read_tables(dataset, {"group": group, "variant": name}) for group, names in of_groups.items() for name in names
    )
    comparisons = []
    for variant in run.run_variants:
        systems = runs_of(run.ablations, variant)
        own = {variant: systems.pop(variant)}
        comparisons.append((systems, own))
    together = read_diversity(together, dataset, data.items)
    found = compare_systems(together, data, comparisons, config, run.seed)
    ABLATION_METRICS.write(found.as_nested(), dataset)
    ABLATION_DIFFERENCES.write(found.differences, dataset)
    ABLATION_SLICES.write(found.slices, dataset)
    clear_no_longer_run(dataset, "compare_ablations", PER_USER.of(group="ablations"), run.ablations)
    metrics = ABLATION_METRICS.read(dataset)
    show(f"\n{dataset}, test split: {data.sizes}\n")
    show(f"{table(metrics, found.intervals(), over_enough_runs(found.differences), 'the variant that is changed')}")
    show(seeds_note(found.differences))
    for systems, own in comparisons:
        (variant,) = own
        if same := unchanged(metrics, variant, systems):
            show(f"the same model as {variant} on these data: {', '.join(same)}")
    show()


if __name__ == "__main__":
    run_stage(STAGE, main)
