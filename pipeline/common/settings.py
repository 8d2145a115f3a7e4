"""Settings of a run as a whole: the seed that governs all, and where to compute."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from pipeline.common.config import Config


class SeedConfig(Config):
    seed: int = Field(ge=0, lt=2**31, description="Governs splits, sampling, initial weights and dropout")


class DeviceConfig(Config):
    device: Literal["auto", "cpu", "cuda"] = Field(description="auto: the GPU if there is one")


class EngineConfig(Config):
    """Who computes. No stage declares it, and DVC runs nothing again when it changes: results do not depend on it.

    Those of training do so by the rounding of sums, as those of another processor would.
    """

    engine: Literal["local", "ray"] = Field(
        description="What processes blocks of items and users: the cores of this machine (local), or the workers of a Ray cluster "
        "(ray). Results are the same, and nothing reruns when it changes",
    )
    ray_address: str = Field(
        pattern=r"^(local|auto|[^\s/:]+:\d+|\[[0-9a-fA-F:]+\]:\d+)$",
        description="The cluster for `engine: ray`. local: each stage starts one on this machine; auto: the one that already runs on "
        "this machine; or HOST:PORT",
    )
    train_processes: int = Field(
        ge=1,
        description="How many processes of this machine train a users' model together; use more than 1 for several GPUs (one each), "
        "or for many items. Nothing reruns when it changes; a model that is trained again differs by rounding",
    )


class RunConfig(SeedConfig, DeviceConfig):
    """Both."""


Precision = Literal["float32", "bfloat16"]


class TrainingRun(RunConfig):
    precision: Precision = Field(
        description="Number format of matrix products in the training of SDNE, the GAT and the users' models. bfloat16 is for GPUs "
        "that support it; weights stay float32. `embed_text` has a setting of its own"
    )
