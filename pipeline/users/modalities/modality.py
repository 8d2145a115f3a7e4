"""What every modality is: vectors of all items or of some, with the weights that are learned for them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import nn

from pipeline.common.devices import placed
from pipeline.users.modalities.inputs import ItemInputs

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# Standard deviations at the start where all modalities are added up: learned vectors small, so that a vector
# nobody has rated yet is nearly zero, and fixed inputs not much larger.
LEARNED_SPREAD = 0.03
PROJECTED_SPREAD = 0.1


class ModalityVectors(nn.Module, ABC):
    """A subclass draws its weights where it is made; their names are those in stored models, without the modality's own before them.

    Args:
        inputs: of all items.
        width: that the variant asks for, d_h.
        added: modalities are added up, as `linear` and `gated` fusion do: all are that wide, and start small.

    Attributes:
        needs: which of the inputs it reads.
        width: of its vectors: the one asked for, unless it says otherwise.
        by_rows: the slope of a learned vector for each item or entity has, of some items, only the rows that these meet: those of all would
            be most of a step where there are millions.
        has: which items have it, (M,): others have the vector that stands for nothing.

    Raises:
        ValueError: an input that it needs is not there.
    """

    needs: ClassVar[tuple[str, ...]] = ()
    has: NDArray[np.bool_]

    def __init__(self, inputs: ItemInputs, width: int, added: bool) -> None:
        super().__init__()
        for name in self.needs:
            if getattr(inputs, name) is None:
                raise ValueError(f"{type(self).__name__} needs the items' {name}, found none")
        self.width = width
        self.by_rows = False

    def nothing(self) -> torch.Tensor:
        """The vector of an item that lacks it: zero, unless it says otherwise; to be spread over (items, width)."""
        return torch.zeros(())

    @abstractmethod
    def forward(self, items: NDArray[np.int64] | None = None) -> torch.Tensor:
        """Vectors of all items, (M, width), or of some, (items, width)."""

    def tables(self) -> list[nn.Parameter]:
        """What is learned for each item or entity by itself, to which `by_rows` applies."""
        return []


def rows_of(table: torch.Tensor, items: NDArray[np.int64] | None) -> torch.Tensor:
    """Those of some items; the table itself for all."""
    return table if items is None else table.index_select(0, placed(items, table.device))
