"""Ablations: a variant of the model with some of its settings changed, written down as the difference."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ConfigDict, Field

from pipeline.common.config import Config, look_up, validated
from pipeline.common.errors import InputError


class Ablation(Config):
    """Which variant it is of; every key beside that is a setting of the variant that is another one here."""

    model_config = ConfigDict(extra="allow")

    of: str = Field(
        description="The entry of `variants` from which an ablation takes every setting that it does not name"
    )

    @property
    def changes(self) -> dict[str, Any]:
        return dict(self.model_extra or {})


def written_out(values: Mapping[str, Any], name: str, where: str) -> dict[str, Any]:
    """All settings of an ablation, as an entry of `variants` would have them; they are not checked.

    Args:
        values: with the sections `ablations` and `variants`.
        where: what goes before the key in an error, e.g. ``"params.yaml: "``.

    Raises:
        InputError: there is no such ablation, or no such variant as it is said to be of.
    """
    entry = look_up(values, ("ablations", name), where.removesuffix(": "))
    ablation = validated(Ablation, entry, f"{where}ablations.{name}.")
    variants = values["variants"]
    if ablation.of not in variants:
        raise InputError(f"{where}ablations.{name}.of: found {ablation.of!r}, expected one of: {', '.join(variants)}")
    return dict(variants[ablation.of] | ablation.changes)
