"""Vectors that were there before: of images, or a data set's own. W x; with b where modalities are not added up, as the text."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn

from pipeline.users.modalities.inputs import ItemInputs, has_vector, standardised
from pipeline.users.modalities.modality import PROJECTED_SPREAD, ModalityVectors, rows_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class GivenVectors(ModalityVectors):
    """Reads x of one kind, standardised.

    Args:
        name: of the kind, which its weights have before theirs: there may be several.

    Raises:
        ValueError: there are none of the kind.
    """

    def __init__(self, inputs: ItemInputs, width: int, added: bool, name: str) -> None:
        super().__init__(inputs, width, added)
        if name not in inputs.given:
            raise ValueError(f"{type(self).__name__} needs the items' {name}, found none")
        vectors = standardised(inputs.given[name], inputs.trained)
        read = vectors.shape[1]
        self.has = has_vector(inputs.given[name])
        self.register_buffer("vectors", torch.from_numpy(vectors), persistent=False)
        self._projection, self._bias = f"{name}_projection", f"{name}_bias"
        weights = torch.empty(read, width)
        nn.init.normal_(weights, std=(PROJECTED_SPREAD if added else 1.0) * read**-0.5)
        self.register_parameter(self._projection, nn.Parameter(weights))
        self.register_parameter(self._bias, None if added else nn.Parameter(torch.zeros(width)))

    def nothing(self) -> torch.Tensor:
        return super().nothing() if getattr(self, self._bias) is None else self.get_parameter(self._bias)

    def forward(self, items: NDArray[np.int64] | None = None) -> torch.Tensor:
        found: torch.Tensor = rows_of(self.get_buffer("vectors"), items) @ self.get_parameter(self._projection)
        return found if getattr(self, self._bias) is None else found + self.get_parameter(self._bias)
