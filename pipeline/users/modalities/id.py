"""The item itself: a learned vector of its own, W times a one-hot vector."""

from __future__ import annotations

import torch
from torch import nn

from pipeline.users.modalities.inputs import ItemInputs
from pipeline.users.modalities.modality import LEARNED_SPREAD, ModalityVectors, rows_of


class IdVectors(ModalityVectors):
    """Reads nothing but the number of items."""

    def __init__(self, inputs: ItemInputs, width: int, added: bool) -> None:
        super().__init__(inputs, width, added)
        self.own = nn.Parameter(torch.randn(inputs.items, width) * LEARNED_SPREAD)

    def forward(self, items: torch.Tensor | None = None) -> torch.Tensor:
        return rows_of(self.own, items)
