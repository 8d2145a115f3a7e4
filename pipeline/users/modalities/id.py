"""The item itself: a learned vector of its own, W times a one-hot vector, damped where few have rated it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn

from pipeline.common.devices import placed
from pipeline.users.modalities.inputs import ItemInputs, damped
from pipeline.users.modalities.modality import LEARNED_SPREAD, ModalityVectors, rows_of

if TYPE_CHECKING:
    from numpy.typing import NDArray


class IdVectors(ModalityVectors):
    """Reads nothing but the number of items, and how many ratings each has."""

    def __init__(self, inputs: ItemInputs, width: int, added: bool) -> None:
        super().__init__(inputs, width, added)
        self.own = nn.Parameter(torch.randn(inputs.items, width) * LEARNED_SPREAD)
        share, self.has = None, np.ones(inputs.items, dtype=bool)
        if inputs.damping:
            assert inputs.ratings is not None
            share, self.has = torch.from_numpy(damped(inputs.ratings, inputs.damping)).unsqueeze(1), inputs.ratings > 0
        self.register_buffer("share", share, persistent=False)

    def forward(self, items: NDArray[np.int64] | None = None) -> torch.Tensor:
        if items is not None and self.by_rows:
            own = nn.functional.embedding(placed(items, self.own.device), self.own, sparse=True)
        else:
            own = rows_of(self.own, items)
        return own if self.share is None else own * rows_of(self.get_buffer("share"), items)

    def tables(self) -> list[nn.Parameter]:
        return [self.own]
