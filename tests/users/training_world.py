"""Planted tastes to train on, and what the tests of training share."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch

from pipeline.data.dataset import Dataset
from pipeline.users.modalities.inputs import ItemInputs
from pipeline.users.settings import VariantConfig
from pipeline.users.training import Trained, UserTrainer
from tests.users.knowing import known
from tests.users.test_settings import EXTENDED, METHOD

torch.set_num_threads(1)  # on small tensors a second thread costs more than it does

USERS, ITEMS, STRUCTURE_WIDTH = 60, 40, 4
SMALL: dict[str, Any] = {
    "width": 4,
    "attention_heads": 2,
    "negatives_per_like": 5,
    "disliked_share": 0.5,
    "dropout": 0.1,
    "learning_rate": 0.01,
    "batch_users": 20,
    "max_history": 8,
    "epochs": 4,
    "validate_every": 1,
    "patience": 10,
}
# Nothing is drawn but batches: everything is a target, and every history is whole.
STILL: dict[str, Any] = {"dropout": 0.0, "max_history": ITEMS, "history_dropout": False}
PLUS: dict[str, Any] = EXTENDED | SMALL | {"width": 8, "attention_heads": 2, "find_shares": False}
CO_RATING = PLUS | {"co_rating_l2": 20.0}
KNOWING = PLUS | {"terms": ["overlap", "together", "popularity"], "count_biases": True, "targets": "left_out"}
# Fewer items than there are, so that they are drawn.
PAIRS = PLUS | {"alignment_weight": 0.5, "alignment_items": 20}
QUEUE = PAIRS | {"alignment": "queue", "alignment_queue": 50}
CODEBOOK = PAIRS | {"alignment": "codebook", "alignment_prototypes": 5}
THREE_HEADS = PLUS | {"heads": ["like", "meet", "judge"]}


def config(**changes: Any) -> VariantConfig:
    # This data set has no vectors of its own.
    return VariantConfig.model_validate(METHOD | SMALL | changes).with_given(())


def interactions() -> pl.DataFrame:
    """Two groups of users with opposite tastes: what one half of the catalogue is to the one, the other is to the other."""
    random = np.random.default_rng(0)
    rows = []
    for user in range(USERS):
        for item in random.choice(ITEMS, 20, replace=False):
            like = bool(random.random() < (0.9 if item % 2 == user % 2 else 0.1))
            split = random.choice(["train", "valid", "test"], p=[0.6, 0.2, 0.2])
            rows.append((user, int(item), like, split))
    frame = pl.DataFrame(rows, schema=["user", "item", "like", "split"], orient="row")
    return frame.select(
        pl.col("user", "item").cast(pl.Int32), "like", pl.lit(None, dtype=pl.Float32).alias("rating"), "split"
    ).sort("user", "item")


def dataset(frame: pl.DataFrame) -> Dataset:
    rated = {user: set(items) for user, items in frame.group_by("user").agg("item").iter_rows()}
    random = np.random.default_rng(1)
    rows = [
        (user, int(item), split)
        for user in range(USERS)
        for split, item in zip(
            ["valid", "test"] * 3, random.permutation([i for i in range(ITEMS) if i not in rated[user]]), strict=False
        )
    ]
    schema = {"user": pl.Int32, "item": pl.Int32, "split": pl.String}
    return Dataset(frame, pl.DataFrame(rows, schema=schema, orient="row").sort("user", "item"), USERS, ITEMS)


def liked_dataset() -> Dataset:
    return dataset(interactions().with_columns(like=pl.lit(True)))


def trainer_of(inputs: ItemInputs, data: Dataset, seed: int = 7, **changes: Any) -> UserTrainer:
    variant = config(**changes)
    # As the stage does: the GAT's own inputs go to the variant that trains it.
    given = inputs if variant.finetune_gat else dataclasses.replace(inputs, gat=None)
    return UserTrainer(given, data, variant, seed)


def train(inputs: ItemInputs, data: Dataset, seed: int = 7, checkpoint: Path | None = None, **changes: Any) -> Trained:
    return trainer_of(inputs, data, seed, **changes).run(checkpoint)


def loss_of(trainer: UserTrainer, users: Sequence[int] = range(USERS)) -> torch.Tensor:
    loss = trainer.loss(np.array(users), np.random.default_rng(0), torch.Generator().manual_seed(0))
    assert loss is not None
    return loss


def same(one: Trained, other: Trained) -> bool:
    assert one.arrays.keys() == other.arrays.keys()
    return all(one.arrays[name].tobytes() == other.arrays[name].tobytes() for name in one.arrays)


class StoppedError(Exception):
    pass


# What a variant takes from its data, beside the ratings themselves: counts, item weights, a sample by popularity.
REFITTED = pytest.mark.parametrize(
    "changes",
    [{}, {"finetune_gat": True}, CO_RATING, KNOWING, PLUS | {"catalogue_sample": 10}],
    ids=["method", "finetuned", "co-rating", "knowing", "sampled"],
)


def everything_in_training(inputs: ItemInputs) -> tuple[ItemInputs, Dataset]:
    everything = dataset(interactions()).all_in_training()
    return dataclasses.replace(inputs, knowledge=known(everything)), everything
