"""A trained variant, as the stages and verbs after `train_users` and `refit` read it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.artifacts.kinds import Tensors
from pipeline.artifacts.users import MODEL
from pipeline.common.config import validated
from pipeline.common.errors import InputError
from pipeline.users.model import Model
from pipeline.users.settings import VariantConfig

if TYPE_CHECKING:
    import torch


def read_model(
    dataset: str, variant: str, items: int, device: torch.device | str = "cpu", kind: Tensors = MODEL
) -> Model:
    """
    Args:
        items: of the data set.
        kind: MODEL, which is evaluated, or REFIT, of all ratings.

    Raises:
        InputError: there is no such model, or one of other items or of another version of the settings.
    """
    stored = kind.of(variant=variant)
    config, _ = trained_as(dataset, stored)
    return Model.from_arrays(stored.read(dataset), config, items, device)


def trained_as(dataset: str, stored: Tensors) -> tuple[VariantConfig, int]:
    """The settings that a stored model was trained by, what they became for its data included, and its epoch.

    Raises:
        InputError: there is no such model, or one of another version of the settings.
    """
    about = stored.about(dataset)
    try:
        config = validated(VariantConfig, about.get("variant"), f"{stored.at(dataset)}: variant.")
    except InputError as error:
        raise InputError(f"{error}; another version trained it; `dvc repro` trains it again") from None
    return config, int(about["best_epoch"])
