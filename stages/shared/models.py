"""A trained variant, as the stages and verbs after `train_users` read it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.artifacts.users import MODEL
from pipeline.common.config import validated
from pipeline.common.errors import InputError
from pipeline.users.model import Model
from pipeline.users.settings import VariantConfig

if TYPE_CHECKING:
    import torch


def read_model(dataset: str, variant: str, items: int, device: torch.device | str = "cpu") -> Model:
    """
    Args:
        items: of the data set.

    Raises:
        InputError: there is no such model, or one of other items or of another version of the settings.
    """
    stored = MODEL.of(variant=variant)
    arrays, about = stored.read(dataset), stored.about(dataset)
    try:
        config = validated(VariantConfig, about.get("variant"), f"{stored.at(dataset)}: variant.")
    except InputError as error:
        raise InputError(f"{error}; another version trained it, and `dvc repro` trains it anew") from None
    return Model.from_arrays(arrays, config, items, device)
