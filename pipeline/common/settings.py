"""Settings of a run as a whole: the seed that governs all, and where to compute."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from pipeline.common.config import Config


class SeedConfig(Config):
    seed: int = Field(ge=0, lt=2**31, description="Governs splits, sampling, initial weights and dropout")


class DeviceConfig(Config):
    device: Literal["auto", "cpu", "cuda"] = Field(description="auto: the GPU where there is one")


class EngineConfig(Config):
    """Who computes. No stage declares it, and DVC runs nothing again when it changes: results do not depend on it.

    Those of training do so by the rounding of sums, as those of another processor would.
    """

    engine: Literal["local", "ray"] = Field(
        description="Who works on blocks of items and users: the cores of this machine, or the workers of a Ray cluster. "
        "Results are the same, and nothing runs again when it changes",
    )
    ray_address: str = Field(
        pattern=r"^(local|auto|[^\s/:]+:\d+|\[[0-9a-fA-F:]+\]:\d+)$",
        description="The cluster of `engine: ray`. local: each stage starts one on this machine; auto: the one that runs on this machine; "
        "or HOST:PORT",
    )
    train_processes: int = Field(
        ge=1,
        description="How many processes of this machine train a model of the users together: more than 1 for a GPU each, or for many "
        "items. Nothing runs again when it changes; a model that is trained anew differs by rounding",
    )


class RunConfig(SeedConfig, DeviceConfig):
    """Both."""


Precision = Literal["float32", "bfloat16"]


class TrainingRun(RunConfig):
    precision: Precision = Field(
        description="Of matrix products where SDNE, the GAT and users are trained; bfloat16 is for GPUs that have it, "
        "and weights stay float32. `embed_text` has its own"
    )
