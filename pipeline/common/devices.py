"""Where tensors live: the device that the setting `device` means on this machine."""

from __future__ import annotations

import torch

from pipeline.common.errors import InputError


def torch_device(choice: str) -> torch.device:
    """The device that a `device` setting means on this machine, with PyTorch set to give the same numbers every time.

    Left to itself, PyTorch adds up gathered gradients in whatever order its threads come by. Where an operation has no
    deterministic form (some on CUDA), PyTorch warns.

    Raises:
        InputError: `cuda` was asked for and there is none.
    """
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
