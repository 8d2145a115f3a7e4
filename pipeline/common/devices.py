"""Where tensors live: the device that the setting `device` means on this machine, how arrays get there, and how much is done at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from pipeline.common.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Blocks of a large computation are of a size that a processor's cache holds. A GPU has to be told of each block, and is kept busy by
# larger ones: by so many times.
GPU_BLOCKS = 64


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


def placed(values: NDArray[Any], device: torch.device | str) -> torch.Tensor:
    """An array as a tensor there; on the CPU without a copy. To a GPU it goes by pinned memory, and nobody waits for it."""
    tensor = torch.from_numpy(values)
    if torch.device(device).type == "cuda":
        tensor = tensor.pin_memory()
    return tensor.to(device, non_blocking=True)


def cells_at_once(cells: int, device: torch.device) -> int:
    """Size of a block there.

    Args:
        cells: what a processor's cache holds.
    """
    return cells if device.type == "cpu" else GPU_BLOCKS * cells
