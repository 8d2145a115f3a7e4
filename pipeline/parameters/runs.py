"""Which models a run trains: the variants of `dvc repro`, and the ablations that are compared with them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field, field_validator

from pipeline.common.ablation import Ablation
from pipeline.common.errors import InputError
from pipeline.common.settings import SeedConfig
from pipeline.evaluation.baselines.registry import GRIDS

NAME = r"^[\w-]+$"
Names = Annotated[list[Annotated[str, Field(pattern=NAME)]], Field(min_length=1)]


class RunVariants(SeedConfig):
    run_variants: Names = Field(
        description="Variants that `dvc repro` trains, evaluates and compares with the baselines"
    )


class RunSystems(RunVariants):
    run_baselines: list[str] = Field(
        min_length=1, description="Baselines that `dvc repro` tunes, evaluates and compares with the variants"
    )

    @field_validator("run_baselines")
    @classmethod
    def _known_once(cls, names: list[str]) -> list[str]:
        if unknown := [name for name in names if name not in GRIDS]:
            raise ValueError(f"run_baselines: found {unknown[0]!r}, expected some of: {', '.join(GRIDS)}")
        if len(set(names)) < len(names):
            raise ValueError(f"run_baselines: found {names}, expected each at most once")
        return names


class RunAblations(RunVariants):
    ablations: dict[str, Ablation] = Field(
        min_length=1,
        description="Ablations that `make ablations` trains and compares with `run_variants`, by name; in `ablations/params.yaml`",
    )


def runs_of(ablations: Mapping[str, Ablation], variant: str) -> dict[str, list[str]]:
    """A variant and its ablations, each with its training runs: name to names, the first one its own.

    Entries that differ in nothing but `training_seed` are runs of one system, which has the name of the first of them; those that change
    nothing else are runs of the variant itself.

    Raises:
        InputError: two entries are the same.
    """
    found: dict[str, list[str]] = {variant: [variant]}
    settings: dict[str, dict[str, Any]] = {variant: {}}
    seeds: dict[str, list[Any]] = {variant: []}
    for name, ablation in ablations.items():
        if ablation.of != variant:
            continue
        changes = dict(ablation.changes)
        seed = changes.pop("training_seed", None)
        system = next((known for known, theirs in settings.items() if theirs == changes), name)
        if seed in seeds.setdefault(system, []) or (system == variant and seed is None):
            raise InputError(
                f"ablations.{name}: found the settings of {system} again, expected other settings or another training_seed"
            )
        found.setdefault(system, []).append(name)
        settings[system] = changes
        seeds[system].append(seed)
    return found
