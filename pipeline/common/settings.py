"""Settings of a run as a whole: the seed that governs all, and where to compute."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from pipeline.common.config import Config


class SeedConfig(Config):
    seed: int = Field(ge=0, lt=2**31, description="Governs splits, sampling, initial weights and dropout")


class DeviceConfig(Config):
    device: Literal["auto", "cpu", "cuda"] = Field(description="auto: the GPU where there is one")


class RunConfig(SeedConfig, DeviceConfig):
    """Both."""


Precision = Literal["float32", "bfloat16"]


class TrainingRun(RunConfig):
    precision: Precision = Field(
        description="Of matrix products where SDNE, the GAT and users are trained; bfloat16 is for GPUs that have it, "
        "and weights stay float32. `embed_text` has its own"
    )
