"""InfoNCE between each two modalities, as CLIP aligns images and texts (Radford et al. 2021).

    loss(a, b) = -1/2n sum_i ( log softmax_j(a_i . b_j / t)_i + log softmax_j(b_i . a_j / t)_i )

over the n items of the step that have both, of vectors of length 1.
"""

from __future__ import annotations

import torch
from torch.nn.functional import cross_entropy

from pipeline.users.alignment.alignment import Alignment, Step


class Pairs(Alignment):
    def losses(self, step: Step) -> list[torch.Tensor]:
        found = []
        for one, other, places in step.pairs():
            cosines = step.vectors[one][places] @ step.vectors[other][places].T / self.temperature
            own = torch.arange(len(places), device=places.device)
            found.append((cross_entropy(cosines, own) + cross_entropy(cosines.T, own)) / 2)
        return found
