"""The stage `evaluate_baselines` of several baselines, in one process: `python -m benchmarks.all_baselines --dataset KEY`."""

from __future__ import annotations

from typing import Annotated

import typer

from pipeline.evaluation.baselines.registry import GRIDS
from stages.evaluate_baselines import STAGE, main
from stages.guard import guarded
from stages.shared.stage import Settings


def command(
    dataset: Annotated[str, typer.Option(help="A key of `datasets` in params.yaml.")],
    baseline: Annotated[list[str] | None, typer.Option(help="Baselines; all if not given. Can be repeated.")] = None,
) -> None:
    def run() -> None:
        settings = Settings(STAGE, dataset)
        for name in baseline or GRIDS:
            main(dataset, name, settings)

    guarded(run)


if __name__ == "__main__":
    typer.run(command)
