"""The structure: p'' as it came from the GAT, or from a GAT that goes on training; W p'' where modalities are added up."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn

from pipeline.users.modalities.inputs import GatInputs, ItemInputs, has_vector, standardised
from pipeline.users.modalities.modality import PROJECTED_SPREAD, ModalityVectors, rows_of

if TYPE_CHECKING:
    from numpy.typing import NDArray


class StructureVectors(ModalityVectors):
    """Reads p'', standardised, or the GAT's own inputs and weights where they are given.

    As wide as p'' where modalities are not added up.
    """

    needs = ("structure",)

    def __init__(self, inputs: ItemInputs, width: int, added: bool) -> None:
        super().__init__(inputs, width, added)
        assert inputs.structure is not None
        read = inputs.structure.shape[1]
        self.has = has_vector(inputs.structure)
        self.structural = (
            _Fixed(standardised(inputs.structure, inputs.trained))
            if inputs.gat is None
            else _Finetuned(inputs.structure[: inputs.trained], inputs.gat)
        )
        self._projected = added
        if added:
            self.structure_projection = nn.Parameter(torch.empty(read, width))
            nn.init.normal_(self.structure_projection, std=PROJECTED_SPREAD * read**-0.5)
        else:
            self.width = read

    def forward(self, items: NDArray[np.int64] | None = None) -> torch.Tensor:
        vectors = rows_of(self.structural(), items)
        return vectors @ self.structure_projection if self._projected else vectors


class _Fixed(nn.Module):
    """p'' standardised, as it came from the GAT stage."""

    def __init__(self, vectors: NDArray[np.float32]) -> None:
        super().__init__()
        self.register_buffer("vectors", torch.from_numpy(vectors), persistent=False)

    def forward(self) -> torch.Tensor:
        return self.get_buffer("vectors")


class _Finetuned(nn.Module):
    """p'' from a GAT that goes on training with the click loss; mean and spread stay those of the GAT stage's vectors."""

    def __init__(self, structure: NDArray[np.float32], inputs: GatInputs) -> None:
        super().__init__()
        self.gat = inputs.build(inputs.initial.shape[1])
        self.gat.load_state_dict({name: torch.from_numpy(array) for name, array in inputs.weights.items()})
        # As in `standardised`: items without a vector do not count.
        known = torch.from_numpy(structure[structure.any(axis=1)]).double()
        spread, mean = torch.std_mean(known, dim=0, correction=0)
        self.register_buffer("initial", torch.from_numpy(inputs.initial), persistent=False)
        self.register_buffer("edge_index", torch.from_numpy(inputs.edge_index), persistent=False)
        self.register_buffer("mean", mean.float(), persistent=False)
        self.register_buffer("spread", torch.where(spread > 1e-8, spread, 1.0).float(), persistent=False)

    def forward(self) -> torch.Tensor:
        vectors: torch.Tensor = self.gat(self.get_buffer("initial"), self.get_buffer("edge_index"))
        return (vectors - self.get_buffer("mean")) / self.get_buffer("spread")
