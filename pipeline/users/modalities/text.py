"""The text: s = W t'_1 + b (method 1); without b where modalities are added up."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn

from pipeline.users.modalities.inputs import ItemInputs, has_vector, standardised
from pipeline.users.modalities.modality import PROJECTED_SPREAD, ModalityVectors, rows_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class TextVectors(ModalityVectors):
    """Reads t'_1, standardised."""

    needs = ("text",)

    def __init__(self, inputs: ItemInputs, width: int, added: bool) -> None:
        super().__init__(inputs, width, added)
        assert inputs.text is not None
        read = inputs.text.shape[1]
        self.has = has_vector(inputs.text)
        self.register_buffer("text", torch.from_numpy(standardised(inputs.text, inputs.trained)), persistent=False)
        self.projection = nn.Linear(read, width, bias=not added)
        nn.init.normal_(self.projection.weight, std=(PROJECTED_SPREAD if added else 1.0) * read**-0.5)
        if not added:
            nn.init.zeros_(self.projection.bias)

    def nothing(self) -> torch.Tensor:
        return super().nothing() if self.projection.bias is None else self.projection.bias

    def forward(self, items: NDArray[np.int64] | None = None) -> torch.Tensor:
        vectors: torch.Tensor = self.projection(rows_of(self.get_buffer("text"), items))
        return vectors
