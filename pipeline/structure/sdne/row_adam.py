"""Adam for tables of which a step meets some rows (Kingma, Ba, ICLR 2015; the lazy form of `torch.optim.SparseAdam`)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

BETAS = (0.9, 0.999)
EPSILON = 1e-8
# Rows that are moved at once: what a step computes with stays in the processor's cache.
ROWS = 512


class RowAdam:
    """Moves the rows that are met, and lets the others and their moments stand still.

    It does what SparseAdam does, on rows that are known to be different, with a dense gradient for these: nothing is sorted and
    summed, which is most of what SparseAdam takes.

    Args:
        tables: (items, ...) each.
    """

    def __init__(self, tables: Sequence[torch.Tensor], learning_rate: float) -> None:
        import torch

        self._tables = [table.detach() for table in tables]
        self._means = [torch.zeros_like(table) for table in self._tables]
        self._squares = [torch.zeros_like(table) for table in self._tables]
        self._learning_rate = learning_rate
        self._steps = 0

    def step(self, rows: torch.Tensor, gradients: Sequence[torch.Tensor]) -> None:
        """
        Args:
            rows: each once, (met,).
            gradients: of these rows, one for each table, (met, ...).
        """
        self._steps += 1
        first, second = BETAS
        size = self._learning_rate * (1 - second**self._steps) ** 0.5 / (1 - first**self._steps)
        for start in range(0, len(rows), ROWS):
            part = slice(start, start + ROWS)
            block = rows[part]
            for table, means, squares, whole in zip(self._tables, self._means, self._squares, gradients, strict=True):
                gradient = whole[part]
                mean = means.index_select(0, block).lerp_(gradient, 1 - first)
                square = squares.index_select(0, block).mul_(second).addcmul_(gradient, gradient, value=1 - second)
                means.index_copy_(0, block, mean)
                squares.index_copy_(0, block, square)
                moved = table.index_select(0, block).addcdiv_(mean, square.sqrt_().add_(EPSILON), value=-size)
                table.index_copy_(0, block, moved)
