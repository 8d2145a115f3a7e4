"""The stages that compute on a GPU, there and on the CPU: `make gpu-check`, after `make repro`. Where there is no GPU it says so and ends.

It runs the tests that need a GPU (`tests/gpu`), then the stages of the default data set twice, in folders of their own, each stage a
process of its own, and prints a table in Markdown: figures, seconds and memory of both, with the card's name. It ends with exit code 1
where a test fails, or where figures are further apart than `TOLERANCES`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from shutil import copytree, ignore_patterns
from typing import Annotated

import numpy as np
import polars as pl
import torch
import typer
from numpy.typing import NDArray
from safetensors.numpy import load_file

from benchmarks.data import DATASET
from benchmarks.machine import description
from benchmarks.measure import environment
from pipeline.artifacts.data import INTERACTIONS
from pipeline.artifacts.evaluation import PER_USER
from pipeline.artifacts.structure import GAT_FIGURES, INITIAL_FIGURES, structure_names
from pipeline.artifacts.text import TEXT_VECTORS
from pipeline.common.cores import cores_here
from pipeline.common.errors import InputError
from stages.guard import guarded, show

ROOT = Path(__file__).parent.parent
VARIANTS = ("recommended", "crmman")
# In order; those of a variant run for each. `add_items` has nothing for a GPU: it brings what was added to the new vectors.
STAGES = ("embed_text", "init_sdne", "train_gat", "add_items")
OF_VARIANT = ("train_users", "evaluate", "recommend")
NEEDED = (f"artifacts/{DATASET}", "params.yaml", "ablations", "added", "rules")
METRICS = (("ctr", "user_auc"), ("impression", "ndcg@5"), ("ranking", "ndcg@10"))
# How far apart figures may be. A text's vector has nothing drawn: sums in another order alone, and 1 is the same direction. The others are
# trained, with dropout of another stream on each device: they differ as two seeds do. On this data set another seed changes figures of
# users by some .002 (docs/quality.md).
TOLERANCES = {
    "cosine to the CPU's, least": 1e-4,
    "reconstruction_auc": 0.01,
    "masked_edge_auc": 0.02,
    "ctr user_auc": 0.01,
    "impression ndcg@5": 0.01,
    "ranking ndcg@10": 0.01,
}


@dataclass(frozen=True)
class Taken:
    """What a stage took on a device, and its figures.

    Attributes:
        mebibytes: the most that the process held.
        of_gpu: the most that PyTorch held of the GPU's memory.
    """

    seconds: float
    mebibytes: float
    of_gpu: float
    figures: Mapping[str, float]


def command(
    tests: Annotated[bool, typer.Option(help="First run the tests that need a GPU.")] = True,
    other: Annotated[
        str, typer.Option(help="What stands in for the GPU where the script itself is tried", hidden=True)
    ] = "cuda",
) -> None:
    guarded(lambda: check(tests, other))


def check(tests: bool, other: str) -> None:
    if other == "cuda" and not torch.cuda.is_available():
        show("gpu-check: PyTorch sees no GPU here: nothing was run")
        return
    INTERACTIONS.read(DATASET)
    if tests:
        run = [sys.executable, "-m", "pytest", "-q", "-n", "0", "tests/gpu/test_on_a_gpu.py"]
        if subprocess.run(run, cwd=ROOT, check=False).returncode:
            raise SystemExit(1)
    with tempfile.TemporaryDirectory() as root:
        of_cpu, of_other = (ran_on(device, Path(root) / place) for place, device in (("cpu", "cpu"), ("gpu", other)))
        for line in table(of_cpu, of_other, card(other)):
            show(line)
    apart = too_far_apart(of_cpu, of_other)
    for line in apart:
        show(f"gpu-check: {line}", error=True)
    if apart:
        raise SystemExit(1)


def ran_on(device: str, folder: Path) -> dict[str, Taken]:
    """Every stage on a device, by its name.

    Args:
        folder: a new one to run in; the CPU's lies beside it, as `cpu`.

    Raises:
        InputError: a stage failed.
    """
    folder.mkdir()
    for name in NEEDED:
        if (ROOT / name).is_dir():
            copytree(ROOT / name, folder / name, ignore=ignore_patterns("report.html"))
        else:
            lines = (ROOT / name).read_text().splitlines()
            (folder / name).write_text(
                "\n".join(f"device: {device}" if one.startswith("device:") else one for one in lines)
            )
    jobs: list[tuple[str, str, list[str]]] = [(stage, stage, []) for stage in STAGES]
    jobs += [(f"{stage}, {variant}", stage, ["--variant", variant]) for variant in VARIANTS for stage in OF_VARIANT]
    found = {}
    for name, stage, arguments in jobs:
        start = time.monotonic()
        took = folder / "took.json"
        done = subprocess.run(
            [
                os.path.abspath(sys.executable),
                "-m",
                "benchmarks.gpu_stage",
                str(took),
                stage,
                "--dataset",
                DATASET,
                *arguments,
            ],
            cwd=folder,
            env=environment() | {"PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            last = (done.stderr or done.stdout).strip().rpartition("\n")[2]
            raise InputError(f"gpu-check: {name} on {device} ended with exit code {done.returncode}: {last}")
        found[name] = Taken(**json.loads(took.read_text()), figures=figures_of(stage, folder, arguments[-1:]))
        show(f"gpu-check: {name} on {device}: {time.monotonic() - start:.0f} s", error=True)
    return found


def figures_of(stage: str, folder: Path, variant: Sequence[str]) -> dict[str, float]:
    """What says how well a stage did."""
    if stage == "embed_text":
        ours, theirs = (TEXT_VECTORS.at(DATASET, one) for one in (folder.parent / "cpu", folder))
        return {"cosine to the CPU's, least": least_cosine(_vectors(ours), _vectors(theirs))}
    names = structure_names(None)
    if stage == "init_sdne":
        return _number(INITIAL_FIGURES.of(**names).at(DATASET, folder), "reconstruction_auc")
    if stage == "train_gat":
        return _number(GAT_FIGURES.of(**names).at(DATASET, folder), "masked_edge_auc")
    if stage == "evaluate":
        per_user = pl.read_parquet(PER_USER.of(group="variants", variant=variant[0]).at(DATASET, folder))
        means = per_user.group_by("protocol", "metric").agg(pl.col("value").mean())
        return {
            f"{protocol} {metric}": means.filter(protocol=protocol, metric=metric)["value"].item()
            for protocol, metric in METRICS
        }
    return {}


def least_cosine(ours: NDArray[np.float32], theirs: NDArray[np.float32]) -> float:
    """Of rows that are not zero."""
    there = ours.any(axis=1)
    ours, theirs = ours[there], theirs[there]
    lengths = np.linalg.norm(ours, axis=1) * np.linalg.norm(theirs, axis=1)
    return float((np.einsum("nd,nd->n", ours, theirs) / lengths).min())


def too_far_apart(of_cpu: Mapping[str, Taken], of_other: Mapping[str, Taken]) -> list[str]:
    """A line for each figure that is."""
    return [
        f"{stage}, {figure}: found {theirs:.4f} on the GPU, expected {ours:.4f} ± {TOLERANCES[figure]:g}"
        for stage, taken in of_cpu.items()
        for figure, ours in taken.figures.items()
        if not abs((theirs := of_other[stage].figures[figure]) - ours) <= TOLERANCES[figure]
    ]


def table(of_cpu: Mapping[str, Taken], of_other: Mapping[str, Taken], name: str) -> list[str]:
    """In Markdown, line by line.

    Args:
        name: of the GPU.
    """
    lines = [
        f"{DATASET}, {name}, PyTorch {torch.__version__}; CPU: {description(cores_here())}",
        "",
        "| stage | s CPU | s GPU | MiB CPU | MiB GPU | of the GPU | figures CPU | GPU |",
        "|---|--:|--:|--:|--:|--:|---|---|",
    ]
    for stage, ours in of_cpu.items():
        theirs = of_other[stage]
        shown = (_shown(taken.figures) for taken in (ours, theirs))
        lines.append(
            f"| {stage} | {ours.seconds:.1f} | {theirs.seconds:.1f} | {ours.mebibytes:,.0f} | {theirs.mebibytes:,.0f} "
            f"| {theirs.of_gpu:,.0f} | {' | '.join(shown)} |"
        )
    return lines


def card(device: str) -> str:
    return torch.cuda.get_device_name() if device == "cuda" else f"{device} instead of a GPU"


def _shown(figures: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {value:.4f}" for name, value in figures.items())


def _number(path: Path, name: str) -> dict[str, float]:
    return {name: float(json.loads(path.read_text())[name])}


def _vectors(path: Path) -> NDArray[np.float32]:
    found: NDArray[np.float32] = load_file(path)["vectors"]
    return found


if __name__ == "__main__":
    typer.run(command)
