"""Which models a run trains: the variants of `dvc repro`, and the ablations that are compared with them."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from pipeline.common.settings import SeedConfig
from pipeline.parameters.ablation import Ablation

NAME = r"^[\w-]+$"
Names = Annotated[list[Annotated[str, Field(pattern=NAME)]], Field(min_length=1)]


class RunVariants(SeedConfig):
    run_variants: Names = Field(
        description="Variants that `dvc repro` trains, evaluates and compares with the baselines"
    )


class RunAblations(RunVariants):
    ablations: dict[str, Ablation] = Field(
        min_length=1, description="What `make ablations` trains and compares with `run_variants`, by name"
    )
