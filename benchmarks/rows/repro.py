"""The whole pipeline by `dvc repro` on ml-100k, in a clone of the last commit with a cache of its own."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from benchmarks.case import Case, Figures, Way
from benchmarks.data import DATASET

CLONE, ONE_STAGE = "clone", "one stage"
# Made by the stages beside the artifacts.
MADE = ("artifacts", "metrics", "plots", "dvc.lock")
ALONE = "dvc.yaml with one stage"
NOTHING = """stages:
  nothing:
    cmd: python -c pass
    deps:
      - input.txt
"""


def clone(folder: Path) -> None:
    """The last commit, without what the stages made. `fetch` downloads the data there, which is measured too."""
    _run(Path(), "git", "clone", "--quiet", "--no-hardlinks", ".", str(folder / CLONE))


def finished(folder: Path) -> None:
    """The clone as `dvc repro` leaves it, with what it has made in the working tree; and a project of one stage.

    What the working tree has is taken as it is, whichever code made it: that changes no time, and spares a run of everything.
    """
    clone(folder)
    for name in MADE:
        if Path(name).is_dir():
            shutil.copytree(name, folder / CLONE / name, dirs_exist_ok=True)
        else:
            shutil.copyfile(name, folder / CLONE / name)
    _run(folder / CLONE, "dvc", "commit", "--force", "dvc.yaml")
    alone = folder / ONE_STAGE
    (alone / ".dvc").mkdir(parents=True)
    shutil.copyfile(".dvc/config", alone / ".dvc" / "config")
    (alone / "dvc.yaml").write_text(NOTHING)
    (alone / "input.txt").write_text("something\n")
    _run(alone, "git", "init", "--quiet")
    for project in (folder / CLONE, alone):
        _run(project, "dvc", "repro", "--quiet")


def copied(folder: Path) -> Path:
    """The clone for one run, which changes it."""
    target = folder / f"run {os.getpid()}"
    shutil.copytree(folder / CLONE, target, symlinks=True)
    return target


def with_another_s_m(folder: Path) -> Path:
    target = copied(folder)
    params = target / "params.yaml"
    text, changed = re.subn(
        rf"(?ms)^(  {DATASET}:$.*?^    s_m: )(\d+)",
        lambda found: f"{found[1]}{int(found[2]) + 1}",
        params.read_text(encoding="utf-8"),
        count=1,
    )
    assert changed, f"params.yaml: datasets.{DATASET}.s_m not found"
    params.write_text(text, encoding="utf-8")
    return target


def from_nothing(folder: Path) -> Path:
    """A clone that has neither artifacts nor a cache."""
    target = folder / f"run {os.getpid()}"
    clone(target)
    return target / CLONE


def repro(project: Path) -> int:
    """Run it, and count the stages that ran."""
    return _run(project, "dvc", "repro").count("Running stage")


def whole(project: Path) -> Figures:
    return {"stages from nothing": repro(project)}


def after_s_m(project: Path) -> Figures:
    return {"stages after S_m": repro(project)}


def unchanged(project: Path) -> Figures:
    return {"stages": repro(project)}


def _run(project: Path, *command: str) -> str:
    """What a command says, in a project; this interpreter's environment comes first, and what DVC remembers stays in the project."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "DVC_NO_ANALYTICS": "true"}
    environment["DVC_SITE_CACHE_DIR"] = str(project.resolve() / ".dvc" / "tmp" / "site")
    environment.pop("PYTHONPATH", None)
    done = subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        said = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
        raise RuntimeError(f"{' '.join(command[:2])} ended with code {done.returncode}: {' '.join(said[-1:])}")
    return done.stdout


CASES = (
    Case(
        stage="repro",
        task=f"{DATASET}, nothing cached",
        ours=Way("ours", from_nothing, whole),
        alternatives=(
            Way(
                "S_m changed",
                with_another_s_m,
                after_s_m,
                note="after a run of everything, S_m of params.yaml plus one",
            ),
        ),
        inputs=finished,
        at_most=150,
        runs=1,
        seconds=1200,
    ),
    Case(
        stage="repro",
        task=f"{DATASET}, nothing changed",
        ours=Way("ours", lambda folder: folder / CLONE, unchanged, warm=1),
        alternatives=(
            Way(
                ALONE,
                lambda folder: folder / ONE_STAGE,
                unchanged,
                warm=1,
                note="what DVC itself needs: the same DVC and Python, a stage with one dependency that has not changed",
            ),
        ),
        inputs=finished,
        at_most_more={ALONE: 1.5},
        runs=5,
        seconds=60,
    ),
)
