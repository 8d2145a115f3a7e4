"""Show how long a run took, stage by stage, and where its figures are. Not a DVC stage: `make repro` calls it at the end."""

from __future__ import annotations

from pipeline.artifacts.evaluation import DIFFERENCES, INTERVALS, METRICS, WARNINGS
from pipeline.common.config import look_up, read_yaml
from pipeline.evaluation.comparison.suite import table
from stages import PARAMS
from stages.guard import show
from stages.shared.stage import TIMINGS, run_tool

STAGES = (
    "check_tables",
    "fetch",
    "prepare",
    "embed_text",
    "embed_image",
    "build_graph",
    "init_sdne",
    "train_gat",
    "add_items",
    "train_users",
    "evaluate",
    "evaluate_baselines",
    "compare",
    "refit",
    "recommend",
    "report",
)
VARIANT_STAGES = ("train_users", "evaluate", "refit", "recommend")
BASELINE_STAGE = "evaluate_baselines"


def main() -> None:
    values = read_yaml(PARAMS)
    variants, baselines = (look_up(values, (key,), str(PARAMS)) for key in ("run_variants", "run_baselines"))
    for dataset in look_up(values, ("datasets",), str(PARAMS)):
        show(f"\n{dataset}: {METRICS.at(dataset)}\n")
        figures = (
            METRICS.read(dataset),
            INTERVALS.read(dataset),
            DIFFERENCES.read(dataset),
        )
        show(table(*figures))
        for line in WARNINGS.read(dataset):
            show(f"warning: {line}")
        names = [
            f"{stage}.{system}" if system else stage
            for stage in STAGES
            for system in (variants if stage in VARIANT_STAGES else baselines if stage == BASELINE_STAGE else [""])
        ]
        seconds = {name: float(path.read_text()) for name in names if (path := TIMINGS / f"{dataset}.{name}").is_file()}
        if seconds:
            show(
                "\nseconds in the last run: "
                + ", ".join(f"{name} {value:.1f}" for name, value in seconds.items())
                + f"; total {sum(seconds.values()):.1f}"
            )


if __name__ == "__main__":
    run_tool(main)
