"""A trained variant, as the stages and verbs after `train_users` read it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.artifacts.users import MODEL
from pipeline.common.config import validated
from pipeline.common.errors import InputError
from pipeline.data.dataset import Dataset
from pipeline.users.settings import VariantConfig
from pipeline.users.trained import TrainedModel

if TYPE_CHECKING:
    import torch


def read_model(dataset: str, variant: str, data: Dataset, device: torch.device | str = "cpu") -> TrainedModel:
    """
    Args:
        data: whose training split makes the users.

    Raises:
        InputError: there is no such model, or one of other items or of another version of the settings.
    """
    stored = MODEL.of(variant=variant)
    arrays, about = stored.read(dataset), stored.about(dataset)
    try:
        config = validated(VariantConfig, about.get("variant"), f"{stored.at(dataset)}: variant.")
    except InputError as error:
        raise InputError(f"{error}; another version trained it, and `dvc repro` trains it anew") from None
    return TrainedModel.from_arrays(arrays, config, data, device)
