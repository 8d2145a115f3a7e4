"""What `dvc repro` left of the default data set, for ways to read: copied once, so that no run depends on the last one."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from pipeline.artifacts.kinds import Table, Tensors
from pipeline.common.ablation import read_all, written_out

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pipeline.data.dataset import Dataset

DATASET = "ml-100k"
# The recommended model without weights of pairs of items: it has vectors of users. `make ablations` trains it.
VECTORS_ALONE = "no-ease"


def settings_of(variant: str, params: Path = Path("params.yaml")) -> dict[str, Any]:
    """All settings of a variant or an ablation."""
    values = read_all(params)
    found = values["variants"].get(variant)
    return dict(found) if found else written_out(values, variant, f"{params}: ")


def copy_artifacts(folder: Path, *artifacts: Table | Tensors) -> None:
    """Copy artifacts of `DATASET` under `folder`, which is then a root to read from.

    Raises:
        InputError: one is not there; `dvc repro` makes it.
    """
    for artifact in artifacts:
        artifact.read(DATASET)
        target = artifact.at(DATASET, folder)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(artifact.at(DATASET), target)


def of_users(users: NDArray[np.int64], interactions: pl.DataFrame, candidates: pl.DataFrame, items: int) -> Dataset:
    """The data set of some users, who are numbered anew in their order.

    Args:
        interactions: user, item, like, rating, split.
        candidates: user, item, split.
        items: number of items.
    """
    from pipeline.data.dataset import Dataset

    numbers = pl.DataFrame({"user": users.astype(np.int32)}).with_row_index("number")

    def of_them(frame: pl.DataFrame) -> pl.DataFrame:
        kept = frame.join(numbers, on="user", maintain_order="left")
        return kept.with_columns(user=pl.col("number").cast(pl.Int32)).drop("number")

    return Dataset(of_them(interactions), of_them(candidates), len(users), items)
