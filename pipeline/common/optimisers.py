"""PyTorch's optimisers, without PyTorch's compiler.

They load it to tell it to keep out of a few of their methods, and that takes nearly as long as PyTorch itself. Nothing here is
compiled: these methods are taken as they are inside the wrappers that load it.
"""

from __future__ import annotations

from collections.abc import Iterable
from inspect import unwrap

import torch

# Tables of so many values move in a step where it meets their rows, and nowhere else. A step over all of them goes through all that
# memory several times, and the more items there are, the more steps a pass has: its time would grow with their square.
ROWS_MET_VALUES = 200_000_000


def by_rows_met(tables: Iterable[torch.Tensor], device: torch.device | str) -> bool:
    """Whether these are that large, all together. A GPU goes through them in milliseconds."""
    return torch.device(device).type == "cpu" and sum(table.numel() for table in tables) >= ROWS_MET_VALUES


class Adam(torch.optim.Adam):
    add_param_group = unwrap(torch.optim.Adam.add_param_group)
    zero_grad = unwrap(torch.optim.Adam.zero_grad)
    state_dict = unwrap(torch.optim.Adam.state_dict)
    load_state_dict = unwrap(torch.optim.Adam.load_state_dict)
    # Its wrapper turns gradients off as well.
    step = torch.no_grad()(unwrap(torch.optim.Adam.step))


class AdamW(Adam, torch.optim.AdamW):
    """The methods of the one, and the weight decay of the other."""


class SparseAdam(torch.optim.SparseAdam):
    """Adam on the rows that have a slope, which is sparse; moments of the others stay as they are."""

    add_param_group = unwrap(torch.optim.SparseAdam.add_param_group)
    zero_grad = unwrap(torch.optim.SparseAdam.zero_grad)
    state_dict = unwrap(torch.optim.SparseAdam.state_dict)
    load_state_dict = unwrap(torch.optim.SparseAdam.load_state_dict)
    step = torch.no_grad()(unwrap(torch.optim.SparseAdam.step))
