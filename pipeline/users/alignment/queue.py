"""InfoNCE against more items than a step has: the keys of earlier ones, in a queue (WenLan, Huo et al. 2021; MoCo, He et al. 2020).

    loss(a -> b) = -1/n sum_i log( e^{a_i . k_i / t} / (sum_j e^{a_i . k_j / t} + sum_{q != i} e^{a_i . k_q / t}) )
    loss(a, b)   = ( loss(a -> b) + loss(b -> a) ) / 2

k are keys of modality b, made by weights that follow those in training, theta' <- m theta' + (1 - m) theta, so that keys of earlier steps
are much like those of this one. No gradient goes through them. j are the n items of the step that have both modalities, q the last
items of earlier steps that have b; those that are item i itself do not count, of which it would be told apart.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn
from torch.func import functional_call
from torch.nn.functional import cross_entropy, normalize

from pipeline.common.devices import placed
from pipeline.users.alignment.alignment import Alignment, Step
from pipeline.users.item_encoder import ItemEncoder
from pipeline.users.losses import NEVER

if TYPE_CHECKING:
    from numpy.typing import NDArray

EMPTY = -1


class Queue(Alignment):
    """
    Args:
        encoder, temperature, most: as of `Alignment`.
        length: keys of each modality that are kept.
        momentum: m, from 0 to below 1.
    """

    keys: torch.Tensor
    queued: torch.Tensor

    def __init__(self, encoder: ItemEncoder, temperature: float, most: int, length: int, momentum: float) -> None:
        super().__init__(encoder, temperature, most)
        self.momentum = momentum
        self.following = nn.ParameterList(
            nn.Parameter(value.detach().clone(), requires_grad=False) for value in encoder.made.parameters()
        )
        self.register_buffer("keys", torch.zeros(len(encoder.modalities), length, encoder.width))
        # Which items they are of.
        self.register_buffer("queued", torch.full((length,), EMPTY))

    def losses(self, step: Step) -> list[torch.Tensor]:
        keys = self._keys(step)
        earlier = dict(zip(keys, self.keys, strict=True))
        queued = self.queued.cpu().numpy()
        of_earlier = {name: np.flatnonzero((queued != EMPTY) & step.encoder.has(name)[queued]) for name in keys}
        found = []
        for one, other, places in step.pairs():
            items = step.items[places.cpu().numpy()]
            there, back = (
                self._one_way(
                    step.vectors[of][places],
                    torch.cat([keys[to][places], earlier[to].index_select(0, placed(of_earlier[to], places.device))]),
                    items[:, None] == queued[of_earlier[to]],
                )
                for of, to in ((one, other), (other, one))
            )
            found.append((there + back) / 2)
        self._put(torch.stack(list(keys.values())), step.items)
        return found

    def _one_way(self, queries: torch.Tensor, keys: torch.Tensor, itself: NDArray[np.bool_]) -> torch.Tensor:
        """
        Args:
            queries: of one modality, (n, width).
            keys: of another, those of the same items first, and after them those of earlier steps.
            itself: which of the latter is the item of the query, (n, earlier).
        """
        cosines = queries @ keys.T / self.temperature
        never = placed(np.pad(itself, ((0, 0), (len(itself), 0))), queries.device)
        return cross_entropy(cosines.masked_fill(never, NEVER), torch.arange(len(queries), device=queries.device))

    @torch.no_grad()
    def _keys(self, step: Step) -> dict[str, torch.Tensor]:
        """Of the items of the step by the weights that follow, after these have followed by one step more."""
        for slow, value in zip(self.following, step.encoder.made.parameters(), strict=True):
            slow.lerp_(value, 1 - self.momentum)
        following, found = iter(self.following), {}
        for name, module in step.encoder.modalities.items():
            own = {key: next(following) for key, _ in module.named_parameters()}
            found[name] = normalize(functional_call(module, own, (step.items,)), dim=1)
        return found

    def _put(self, keys: torch.Tensor, items: NDArray[np.int64]) -> None:
        """Keep these, and as many of those before as there is room for."""
        length = len(self.queued)
        self.keys = torch.cat([keys, self.keys], dim=1)[:, :length].clone()
        self.queued = torch.cat([placed(items, self.queued.device), self.queued])[:length].clone()
