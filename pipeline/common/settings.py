"""Settings of a run as a whole: the seed that governs all, and where to compute."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from pipeline.common.config import Config
from pipeline.common.errors import InputError

if TYPE_CHECKING:
    import torch


class SeedConfig(Config):
    seed: int = Field(ge=0, lt=2**31, description="Governs splits, sampling, initial weights and dropout")


class DeviceConfig(Config):
    device: Literal["auto", "cpu", "cuda"] = Field(description="auto: the GPU where there is one")


class RunConfig(SeedConfig, DeviceConfig):
    """Both."""


def torch_device(choice: str) -> torch.device:
    """The device that a `device` setting means on this machine, with PyTorch set to give the same numbers every time.

    Left to itself, PyTorch adds up gathered gradients in whatever order its threads come by. Where an operation has no
    deterministic form (some on CUDA), PyTorch warns.

    Raises:
        InputError: `cuda` was asked for and there is none.
    """
    import torch

    # The same as `use_deterministic_algorithms(True, warn_only=True)` but for PyTorch's compiler, which that sets up as well:
    # nothing here is compiled, and loading it takes as long as PyTorch itself.
    torch.set_deterministic_debug_mode("warn")
    # Costs time and guards against reading memory that was never written, which no operation here does.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    if choice == "cuda" and not torch.cuda.is_available():
        raise InputError("device: found cuda, but PyTorch sees no CUDA device here; expected cpu or auto")
    if choice == "auto":
        choice = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(choice)
