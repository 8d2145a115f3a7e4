"""Item vectors: the semantic and the structural modality, fused (method 1 and 5).

s = W t'_1 + b
concat:  r = s || p''          average:  r = (s + p'') / 2
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
import torch
from torch import nn

if TYPE_CHECKING:
    from numpy.typing import NDArray

Fusion = Literal["concat", "average"]


def standardised(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Each dimension to mean 0 and variance 1 over the items that have a vector; rows of zeros (no text) stay zero.

    [CLS] vectors of any two items point in much the same direction: what all share would drown what sets them apart.

    Args:
        vectors: (M, width).
    """
    present = vectors.any(axis=1)
    result = np.zeros_like(vectors, dtype=np.float32)
    if present.any():
        known = vectors[present].astype(np.float64)
        spread = known.std(axis=0)
        result[present] = (known - known.mean(axis=0)) / np.where(spread > 1e-8, spread, 1.0)
    return result


class ItemEncoder(nn.Module):
    """r for all items, (M, width), with W and b trainable and the modalities' inputs fixed.

    Args:
        text: standardised [CLS] vectors, (M, d_e).
        structure: p'' standardised, (M, d_k'').
        text_width: d_h, the width of s.
        fusion: `concat` or `average`.

    Raises:
        ValueError: average fusion of different widths.
    """

    def __init__(self, text: torch.Tensor, structure: torch.Tensor, text_width: int, fusion: Fusion) -> None:
        super().__init__()
        if fusion == "average" and text_width != structure.shape[1]:
            raise ValueError(f"average fusion needs equal widths, found {text_width} and {structure.shape[1]}")
        self.fusion = fusion
        self.projection = nn.Linear(text.shape[1], text_width)
        nn.init.normal_(self.projection.weight, std=text.shape[1] ** -0.5)
        nn.init.zeros_(self.projection.bias)
        self.width = text_width + structure.shape[1] if fusion == "concat" else text_width
        self.register_buffer("text", text, persistent=False)
        self.register_buffer("structure", structure, persistent=False)

    def forward(self) -> torch.Tensor:
        return fuse(self.projection(self.text), self.structural(), self.fusion)

    def structural(self) -> torch.Tensor:
        """p'', (M, d_k''), as it enters the fusion."""
        structure: torch.Tensor = self.get_buffer("structure")
        return structure


class FinetunedItemEncoder(ItemEncoder):
    """An item encoder whose p'' comes from a GAT that goes on training with the click loss.

    Args:
        gat: encoder called as ``gat(vectors, edge_index)``, with the weights of the GAT stage.
        initial: P, (M, d_k).
        edge_index: (2, directed edges).
        structure: p'' of the GAT stage, not standardised: fixes mean and spread for the standardisation.
    """

    def __init__(
        self,
        text: torch.Tensor,
        structure: torch.Tensor,
        text_width: int,
        fusion: Fusion,
        gat: nn.Module,
        initial: torch.Tensor,
        edge_index: torch.Tensor,
    ) -> None:
        super().__init__(text, structure, text_width, fusion)
        self.gat = gat
        spread, mean = torch.std_mean(structure.double(), dim=0, correction=0)
        self.register_buffer("initial", initial, persistent=False)
        self.register_buffer("edge_index", edge_index, persistent=False)
        self.register_buffer("mean", mean.to(structure.dtype), persistent=False)
        self.register_buffer("spread", torch.where(spread > 1e-8, spread, 1.0).to(structure.dtype), persistent=False)

    def structural(self) -> torch.Tensor:
        vectors: torch.Tensor = self.gat(self.get_buffer("initial"), self.get_buffer("edge_index"))
        return (vectors - self.get_buffer("mean")) / self.get_buffer("spread")


def fuse(text: torch.Tensor, structure: torch.Tensor, fusion: Fusion) -> torch.Tensor:
    """R from s and p'' (method 5).

    Args:
        text: s, (M, d_h).
        structure: p'', (M, d_k'').
    """
    return torch.cat([text, structure], dim=1) if fusion == "concat" else (text + structure) / 2
