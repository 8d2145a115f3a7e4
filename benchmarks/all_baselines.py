"""The stage `evaluate_baselines` of every baseline, in one process: `python -m benchmarks.all_baselines --dataset KEY`."""

from __future__ import annotations

from typing import Annotated

import typer

from pipeline.evaluation.baselines.registry import GRIDS
from stages.evaluate_baselines import STAGE, main
from stages.guard import guarded
from stages.shared.stage import Settings


def command(dataset: Annotated[str, typer.Option(help="A key of `datasets` in params.yaml.")]) -> None:
    def run() -> None:
        settings = Settings(STAGE, dataset)
        for name in GRIDS:
            main(dataset, name, settings)

    guarded(run)


if __name__ == "__main__":
    typer.run(command)
