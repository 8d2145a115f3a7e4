"""The pipeline's trainer on the default data set, and the same one with other views."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.case import Figures
from benchmarks.data import DATASET, of_users, settings_of
from pipeline.artifacts.data import INTERACTIONS, ITEMS, UNRATED_CANDIDATES, USERS
from pipeline.common.config import read_yaml, validated
from pipeline.common.optimisers import AdamW
from pipeline.users.settings import VariantConfig
from pipeline.users.training import UserTrainer
from stages.shared.inputs import read_inputs

if TYPE_CHECKING:
    from torch import nn

    from pipeline.users.views.view import View


def trainer(variant: str, every: int = 1, changes: Mapping[str, Any] | None = None) -> UserTrainer:
    """As the stage makes it, from the artifacts of the default data set.

    Args:
        every: so many-th users alone are there, from the first one on.
        changes: to the variant's settings.
    """
    asked = validated(VariantConfig, settings_of(variant) | dict(changes or {}), "params.yaml: ")
    items, users = (len(table.read(DATASET)) for table in (ITEMS, USERS))
    interactions, candidates = (table.read(DATASET) for table in (INTERACTIONS, UNRATED_CANDIDATES))
    data = of_users(np.arange(0, users, every), interactions, candidates, items)
    ratings, dislikes = data.train_likes.nnz + data.train_dislikes.nnz, data.train_dislikes.nnz
    config = asked.for_data(items, dislikes, ratings / data.users, len(data.against("valid")))
    return UserTrainer(read_inputs(DATASET, config, data), data, config, read_yaml(Path("params.yaml"))["seed"])


def blind(variant: str) -> dict[str, int]:
    """Changes with which an epoch is training alone: no look at the validation split before the last one."""
    epochs = settings_of(variant)["epochs"]
    return {"validate_every": epochs, "patience": epochs}


def with_views(trainer: UserTrainer, make: Callable[[View], nn.Module]) -> UserTrainer:
    """The same trainer with each view replaced by one that computes the same, and an optimiser of its parameters."""
    views = trainer.scorer.views
    for name, view in list(views.items()):
        views[name] = make(view)  # type: ignore[arg-type]
    parameters = [
        parameter
        for module in (trainer.items, trainer.scorer)
        for parameter in module.parameters()
        if parameter.requires_grad
    ]
    (group,) = trainer.optimiser.param_groups
    trainer.optimiser = AdamW(parameters, group["lr"], betas=group["betas"], weight_decay=group["weight_decay"])
    return trainer


def epoch(trainer: UserTrainer) -> Figures:
    """One epoch, of a trainer for which every rating is a target."""
    trainer.train_an_epoch()
    asked = trainer.data.train_likes.nnz
    if "click" not in trainer.config.heads:
        asked += trainer.data.train_dislikes.nnz
    return {"targets": asked, "mean loss": trainer.losses[-1]}
