"""PyTorch's optimisers, without PyTorch's compiler.

They load it to tell it to keep out of a few of their methods, and that takes nearly as long as PyTorch itself. Nothing here is
compiled: these methods are taken as they are inside the wrappers that load it.
"""

from __future__ import annotations

from collections.abc import Iterable
from inspect import unwrap
from typing import Any

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


class RowAdam(torch.optim.Optimizer):
    """Adam on the rows that a step meets; their moments, and no others, change. As `torch.optim.SparseAdam` has it, in half its time:
    that adds sparse matrices to whole ones, and sorts rows which here come each once.

    Args:
        params: tables, by rows.

    Raises:
        ValueError: a slope is not sparse.
    """

    add_param_group = unwrap(torch.optim.Optimizer.add_param_group)
    zero_grad = unwrap(torch.optim.Optimizer.zero_grad)
    state_dict = unwrap(torch.optim.Optimizer.state_dict)
    load_state_dict = unwrap(torch.optim.Optimizer.load_state_dict)

    def __init__(self, params: Any, lr: float, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8) -> None:
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        for group in self.param_groups:
            for table in group["params"]:
                if table.grad is not None:
                    self._move(table, group["lr"], group["betas"], group["eps"])

    def _move(self, table: torch.Tensor, rate: float, betas: tuple[float, float], eps: float) -> None:
        assert table.grad is not None
        beta1, beta2 = betas
        if not table.grad.is_sparse:
            raise ValueError("RowAdam: found a slope of all rows, expected one of the rows met, each once")
        state = self.state[table]
        if not state:
            state |= {"step": 0, "first": torch.zeros_like(table), "second": torch.zeros_like(table)}
        state["step"] += 1
        rows, slopes = table.grad._indices()[0], table.grad._values()
        first = state["first"].index_select(0, rows).lerp_(slopes, 1 - beta1)
        second = state["second"].index_select(0, rows).mul_(beta2).addcmul_(slopes, slopes, value=1 - beta2)
        state["first"].index_copy_(0, rows, first)
        state["second"].index_copy_(0, rows, second)
        size = rate * (1 - beta2 ** state["step"]) ** 0.5 / (1 - beta1 ** state["step"])
        table.index_add_(0, rows, first.div_(second.sqrt_().add_(eps)), alpha=-size)
