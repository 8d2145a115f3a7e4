"""A small workspace outside the repository, and its stages run by the command lines that DVC runs."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from pipeline.common.config import changed
from pipeline.evaluation.baselines.registry import GRIDS
from stages.cli.summary import STAGES
from tests.in_process import Result, run_module
from tests.parameter_files import VECTORS_ALONE, copy_to, edited

ROOT = Path(__file__).resolve().parents[2]
KEY = "small"
USERS, ITEMS, GENRES = 40, 60, ("comedy", "horror", "western")
EPOCHS = 15
VARIANTS, ABLATION, STRUCTURE = ("recommended", "crmman"), "random-graph", "random-graph"
REFITTED = VARIANTS[0]

# What stands before the first stage of a variant, in an order in which data flows.
BEFORE_USERS = STAGES[: STAGES.index("train_users")]
# What DVC runs: a name for the run to its stage and arguments, `--dataset` aside, in an order in which data flows.
RUNS: dict[str, tuple[str, ...]] = {name: (name,) for name in BEFORE_USERS}
RUNS |= {
    f"{stage}.{variant}": (stage, "--variant", variant) for stage in ("train_users", "evaluate") for variant in VARIANTS
}
RUNS |= {f"evaluate_baselines.{name}": ("evaluate_baselines", "--baseline", name) for name in GRIDS}
RUNS |= {"compare": ("compare",)}
# Though `refit` of the parameters names none: what is there is not read for it.
RUNS |= {f"refit.{REFITTED}": ("refit", "--variant", REFITTED)}
RUNS |= {f"recommend.{variant}": ("recommend", "--variant", variant) for variant in VARIANTS}
RUNS |= {"report": ("report",)}
ABLATION_RUNS: dict[str, tuple[str, ...]] = {
    **{
        f"{stage}.{STRUCTURE}": (stage, "--structure", STRUCTURE)
        for stage in ("derive_graph", "init_sdne", "train_gat")
    },
    f"train_users.{ABLATION}": ("train_users", "--variant", ABLATION),
    f"evaluate.{ABLATION}": ("evaluate", "--variant", ABLATION, "--group", "ablations"),
    "compare_ablations": ("compare_ablations",),
}
ALL_RUNS = RUNS | ABLATION_RUNS


@dataclass(frozen=True)
class Workspace:
    """A folder with parameters and a source's tables; artifacts come into it as stages run."""

    root: Path

    def call(self, stage: str, *arguments: str) -> Result:
        """Run a stage's command line in this process."""
        return run_module(f"stages.{stage}", *arguments, folder=self.root)

    def start(self, stage: str, *arguments: str) -> subprocess.Popen[str]:
        """Start a stage in a process of its own, which takes seconds longer: for what only a process can show."""
        environment = os.environ | {"PYTHONPATH": str(ROOT)}
        return subprocess.Popen(
            [sys.executable, "-m", f"stages.{stage}", *arguments],
            cwd=self.root,
            env=environment,
            text=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def run(self, name: str, dataset: str = KEY) -> Result:
        """Run an entry of `ALL_RUNS`, or a stage that is for all data sets at once, in this process."""
        stage, *arguments = command_of(name, dataset)
        return self.call(stage, *arguments)

    def run_apart(self, name: str, dataset: str = KEY) -> Result:
        """The same in a process of its own."""
        stage, *arguments = command_of(name, dataset)
        return result_of(self.start(stage, *arguments))

    def run_all(self, names: Iterable[str], dataset: str = KEY) -> dict[str, Result]:
        return {name: self.run(name, dataset) for name in names}

    def copy(self, root: Path, *, artifacts: bool = True) -> Workspace:
        left_out = None if artifacts else shutil.ignore_patterns("artifacts", "metrics", "plots")
        shutil.copytree(self.root, root, ignore=left_out)
        return Workspace(root)

    def change_params(self, change: Callable[[dict[str, Any]], object]) -> None:
        with edited(self.root) as values:
            change(values)

    def change_table(self, name: str, change: Callable[[pl.DataFrame], pl.DataFrame]) -> None:
        path = self.root / "tables" / f"{name}.csv"
        change(pl.read_csv(path, infer_schema=False)).write_csv(path)

    def files(self) -> dict[str, str]:
        """Every file that stages wrote, timings aside, with a digest of its bytes."""
        folders = [self.root / name for name in ("artifacts", "metrics", "plots", ".checkpoints")]
        paths = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
        return {
            str(path.relative_to(self.root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(paths)
        }


def command_of(name: str, dataset: str) -> tuple[str, ...]:
    """An entry of `ALL_RUNS`, or a stage that is for all data sets at once: the stage and its arguments."""
    if name not in ALL_RUNS:
        return (name,)
    stage, *arguments = ALL_RUNS[name]
    return (stage, "--dataset", dataset, *arguments)


def result_of(process: subprocess.Popen[str]) -> Result:
    out, err = process.communicate()
    return Result(process.returncode, out, err)


def assert_a_mistake_in_one_line(result: Result, *parts: str) -> None:
    """Exit code 2 and one line on stderr that says what is wrong; nothing else."""
    assert result.code == 2, result
    assert result.err.startswith("error: "), result.err
    assert result.err.count("\n") == 1, result.err
    assert result.err.endswith("\n")
    for part in parts:
        assert part in result.err


def make_workspace(root: Path) -> Workspace:
    """Params of the repository cut to one small data set with the fast profile, and its tables as CSV."""
    workspace = Workspace(root)
    copy_to(root)

    def small(values: dict[str, Any]) -> None:
        source = {"type": "tables", "path": "tables"}
        entry: dict[str, Any] = {"source": source, "text_template": "{title}, a {genre}", "s_m": 1}
        entry["train_users"] = {"epochs": EPOCHS, "patience": EPOCHS, "batch_users": 8, "validate_every": 1}
        values["datasets"] = {KEY: values["dataset_defaults"] | entry}
        values["device"] = "cpu"
        values["run_variants"] = list(VARIANTS)
        values["ablations"] = {ABLATION: values["ablations"][ABLATION]}
        values["structures"] = {STRUCTURE: values["structures"][STRUCTURE]}
        values["variants"] = {name: values["variants"][name] for name in VARIANTS}
        values["variants"]["recommended"] |= VECTORS_ALONE
        for section, changes in values["profiles"]["fast"].items():
            values[section] = changed(values[section], changes)
        values["baselines"]["item-knn"]["neighbours"] = [5, 20]
        values["compare"]["bootstrap_samples"] = 20

    workspace.change_params(small)
    (root / "tables").mkdir()
    for name, frame in planted_tables().items():
        frame.write_csv(root / "tables" / f"{name}.csv")
    return workspace


def planted_tables() -> dict[str, pl.DataFrame]:
    """Users with a favourite genre that they rate high and others low; a graph of genres, actors and directors."""
    random = np.random.default_rng(0)
    genre = [GENRES[item % len(GENRES)] for item in range(ITEMS)]
    ratings = []
    for user in range(USERS):
        for item in np.flatnonzero(random.random(ITEMS) < 0.45):
            favourite = genre[item] == GENRES[user % len(GENRES)]
            rating = random.choice([4, 5] if favourite else [1, 2, 3, 4])
            ratings.append({"user_id": f"u{user}", "item_id": f"i{item}", "rating": int(rating)})
    triples = []
    for item in range(ITEMS):
        triples.append((f"m{item}", "genre", genre[item]))
        triples.append((f"director {genre[item]} {random.integers(3)}", "directed", f"m{item}"))
        triples += [(f"m{item}", "starring", f"actor {genre[item]} {a}") for a in random.choice(5, 2, replace=False)]
    # The last item has a title alone: no entity links it to the graph.
    linked = range(ITEMS - 1)
    return {
        "interactions": pl.DataFrame(ratings),
        "items": pl.DataFrame(
            {
                "item_id": [f"i{item}" for item in range(ITEMS)],
                "title": [f"Film number {item}" for item in range(ITEMS)],
                "genre": genre,
            }
        ),
        "kg": pl.DataFrame(triples, schema=["head", "relation", "tail"], orient="row"),
        "item_entities": pl.DataFrame(
            {"item_id": [f"i{item}" for item in linked], "entity_id": [f"m{item}" for item in linked]}
        ),
    }
