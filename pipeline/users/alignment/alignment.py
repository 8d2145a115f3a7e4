"""What every form of alignment is: a loss on the vectors that the modalities of some items have."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn
from torch.nn.functional import normalize

from pipeline.common.devices import placed
from pipeline.users.item_encoder import ItemEncoder

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Step:
    """What is aligned in a step.

    Attributes:
        encoder: that made the vectors.
        items: which of the data set, (n,).
        vectors: of each modality, of length 1 (or 0, where an item lacks it), (n, width).
    """

    encoder: ItemEncoder
    items: NDArray[np.int64]
    vectors: Mapping[str, torch.Tensor]

    def pairs(self) -> Iterator[tuple[str, str, torch.Tensor]]:
        """Each two modalities that two items or more have both of, and the places of these items; one item has nothing to be told from."""
        for one, other in combinations(self.vectors, 2):
            places = np.flatnonzero(self.encoder.has(one)[self.items] & self.encoder.has(other)[self.items])
            if len(places) > 1:
                yield one, other, placed(places, self.vectors[one].device)


class Alignment(nn.Module, ABC):
    """
    Args:
        encoder: whose modalities are aligned; all are equally wide.
        temperature: > 0, of the cosines.
        most: items of a step that are aligned: drawn evenly, where there are more.
    """

    def __init__(self, encoder: ItemEncoder, temperature: float, most: int) -> None:
        super().__init__()
        self.temperature, self.most = temperature, most

    def forward(
        self,
        encoder: ItemEncoder,
        parts: Mapping[str, torch.Tensor],
        catalogue: NDArray[np.int64] | None,
        random: np.random.Generator,
    ) -> torch.Tensor:
        """The mean over pairs of modalities; 0 where no two items have the same two.

        Args:
            encoder: that made the parts.
            parts: of each modality, (M, width).
            catalogue: which items of the data set the M are; None where they are all of it.
        """
        count = len(next(iter(parts.values())))
        items = np.arange(count) if catalogue is None else catalogue
        if count > self.most:
            places = np.sort(random.choice(count, self.most, replace=False))
            items = items[places]
            parts = {name: part.index_select(0, placed(places, part.device)) for name, part in parts.items()}
        losses = self.losses(Step(encoder, items, {name: normalize(part, dim=1) for name, part in parts.items()}))
        return torch.stack(losses).mean() if losses else next(iter(parts.values())).new_zeros(())

    @abstractmethod
    def losses(self, step: Step) -> list[torch.Tensor]:
        """One for each of its pairs."""
