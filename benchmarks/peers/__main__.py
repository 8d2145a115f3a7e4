"""Train and measure the peers on a data set of the pipeline: `python -m benchmarks.peers --dataset ml-100k`."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Annotated, Any

import typer

from benchmarks.peers import results
from benchmarks.peers.export import of_artifacts
from benchmarks.peers.settings import MODELS, Job
from benchmarks.peers.table import of_dataset, update
from pipeline.common.errors import InputError
from stages.guard import guarded
from stages.shared.stage import say


def command(
    dataset: Annotated[str, typer.Option(help="A data set in params.yaml whose artifacts exist.")],
    model: Annotated[list[str] | None, typer.Option(help="Models to run; all if not given. Can be repeated.")] = None,
    minutes: Annotated[float, typer.Option(help="CPU minutes that each model may train, including validation.")] = 4,
    learning_rate: Annotated[
        list[float] | None, typer.Option(help="Learning rates, of which validation chooses. Can be repeated.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of initial weights, batches and negatives.")] = 42,
) -> None:
    guarded(lambda: measure(dataset, model or list(MODELS), learning_rate or [0.001, 0.005], minutes, seed))


def measure(dataset: str, models: list[str], learning_rates: list[float], minutes: float, seed: int) -> None:
    """Export the data set, run each model in a process of its own, and write results and tables.

    Raises:
        InputError: an artifact is missing, or a model is unknown.
    """
    for name in models:
        if name not in MODELS:
            raise InputError(f"model: found {name}, expected one of: {', '.join(MODELS)}")
    exported = of_artifacts(dataset)
    with tempfile.TemporaryDirectory() as folder:
        exported.write(Path(folder))
        for name in models:
            job = Job(
                model=name,
                dataset=dataset,
                atomic_files=folder,
                learning_rates=learning_rates,
                minutes=minutes,
                seed=seed,
            )
            result = _result_of(job)
            results.add(dataset, name, result)
            say(dataset, name, result.get("error") or f"{result['cpu_seconds']:.0f} CPU seconds")
    update()
    print(f"\n{of_dataset(dataset)}")


def _result_of(job: Job) -> dict[str, Any]:
    """What the model's process found; a crash is a result as well."""
    # RecBole's use of its libraries warns in every line; what matters of it is in shims.py.
    command = [sys.executable, "-W", "ignore", "-m", "benchmarks.peers.train"]
    done = subprocess.run(command, input=job.model_dump_json(), capture_output=True, text=True, check=False)
    lines = done.stderr.strip().splitlines()
    if done.returncode < 0:  # the system killed it, most likely for its memory
        return {"error": f"killed by signal {-done.returncode}"}
    if done.returncode:
        return {"error": lines[-1] if lines else f"exit code {done.returncode}"}
    for line in lines:
        if line.startswith(job.model):
            say(job.dataset, job.model, line.removeprefix(f"{job.model}: "))
    return dict(json.loads(done.stdout.splitlines()[-1]))


if __name__ == "__main__":
    typer.run(command)
