"""What `dvc repro` left of the default data set, for ways to read: copied once, so that no run depends on the last one."""

from __future__ import annotations

import shutil
from pathlib import Path

from pipeline import artifacts

DATASET = "ml-100k"


def copy_artifacts(folder: Path, *names: str) -> None:
    """Copy artifacts of `DATASET` (names as in `pipeline.artifacts`) under `folder`, which is then a root to read from.

    Raises:
        InputError: one is not there; `dvc repro` makes it.
    """
    for name in names:
        artifact: artifacts.Table | artifacts.Tensors = getattr(artifacts, name)
        artifact.read(DATASET)
        target = artifact.at(DATASET, folder)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(artifact.at(DATASET), target)
