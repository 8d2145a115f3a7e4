"""A codebook of prototypes that all modalities share (Duan et al. 2022, "Multi-modal alignment using representation codebook").

Each modality's vector of an item is assigned to prototypes c, and another modality's has to predict these shares:

    loss(a, b) = 1/2 ( H(q_a, p_b) + H(q_b, p_a) ),   p_b(i, k) = softmax_k(b_i . c_k / t),   H(q, p) = -1/n sum_i sum_k q_ik log p_ik

q is an optimal transport of the items to the prototypes, in which each prototype gets as much as any other, so that not all items go to
one. It is found by a few of Sinkhorn's rounds and takes no gradient. The source takes q from weights that follow slowly; here they
are those in training, as in SwAV (Caron et al. 2020), where the swapped prediction is from.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.functional import cross_entropy, normalize

from pipeline.users.alignment.alignment import Alignment, Step
from pipeline.users.item_encoder import ItemEncoder

# How far a transport is spread, and rounds that find it: those of SwAV.
SPREAD, ROUNDS = 0.05, 3


class Codebook(Alignment):
    """
    Args:
        encoder, temperature, most: as of `Alignment`.
        prototypes: how many.
    """

    def __init__(self, encoder: ItemEncoder, temperature: float, most: int, prototypes: int) -> None:
        super().__init__(encoder, temperature, most)
        self.prototypes = nn.Parameter(normalize(torch.randn(prototypes, encoder.width), dim=1))

    def losses(self, step: Step) -> list[torch.Tensor]:
        codes = normalize(self.prototypes, dim=1)
        found = []
        for one, other, places in step.pairs():
            a, b = (step.vectors[name][places] @ codes.T for name in (one, other))
            found.append((self._predicted(b, transport(a)) + self._predicted(a, transport(b))) / 2)
        return found

    def _predicted(self, cosines: torch.Tensor, shares: torch.Tensor) -> torch.Tensor:
        return cross_entropy(cosines / self.temperature, shares)


@torch.no_grad()
def transport(cosines: torch.Tensor) -> torch.Tensor:
    """Shares of the prototypes in each item, (n, prototypes): rows add up to 1, columns to much the same.

    Args:
        cosines: of items and prototypes, (n, prototypes).
    """
    logs = cosines / SPREAD
    for _ in range(ROUNDS):
        logs = logs.log_softmax(dim=0).log_softmax(dim=1)
    return logs.exp()
