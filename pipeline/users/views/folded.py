"""A view of a trained model as one score reads it: its heads put together, what each entry of a history counts and contributes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch.nn.functional import embedding

if TYPE_CHECKING:
    from pipeline.users.histories import Chunk, Histories

# Numbers in the vectors of a chunk of histories.
NUMBERS = 2_000_000


class FoldedView(ABC):
    """Heads differ in W^O alone, so that by their shares they are one."""

    @abstractmethod
    def shares(self, history: Histories) -> torch.Tensor:
        """What each entry counts whoever the candidate, by attention head: (entries, heads)."""

    @abstractmethod
    def contributions(self, chunk: Chunk, candidates: torch.Tensor, shares: torch.Tensor) -> torch.Tensor:
        """What each entry of a chunk adds to each candidate's score.

        Args:
            candidates: items of each user of the chunk, (chunk, candidates).
            shares: of all entries, by `shares`.

        Returns:
            (chunk, candidates, length), zero at padding.
        """

    def users(self, history: Histories, shares: torch.Tensor) -> torch.Tensor | None:
        """What is multiplied with a candidate, whichever it is, (users, width); None where users have no vectors."""
        return None


class SharedOut(FoldedView):
    """A view that weighs a history in one way, whatever the candidate: u is a sum of values by shares.

    Args:
        items: R, (M, width).
        values: of the items, heads side by side, (M, width).
        towards: what the candidates are multiplied with before they meet values, (width, width).
        shares: of all entries of histories, (entries, heads).
    """

    def __init__(
        self,
        items: torch.Tensor,
        values: torch.Tensor,
        towards: torch.Tensor,
        shares: Callable[[Histories], torch.Tensor],
    ) -> None:
        self._items, self._values, self._towards, self._shares = items, values, towards, shares

    def shares(self, history: Histories) -> torch.Tensor:
        return self._shares(history)

    def contributions(self, chunk: Chunk, candidates: torch.Tensor, shares: torch.Tensor) -> torch.Tensor:
        seen, values = embedding(candidates, self._items) @ self._towards, embedding(chunk.items, self._values)
        weights = padded(shares, chunk)
        if shares.shape[1] == 1:
            return torch.bmm(seen, values.transpose(1, 2)).mul_(weights.transpose(1, 2))
        by_head = values.view(*weights.shape, -1).mul_(weights.unsqueeze(3))
        return torch.bmm(seen, by_head.flatten(2).transpose(1, 2))

    def users(self, history: Histories, shares: torch.Tensor) -> torch.Tensor:
        total = self._values.new_zeros(len(history.lengths), self._values.shape[1])
        for chunk in history.chunks(NUMBERS, total.shape[1]):
            values, weights = embedding(chunk.items, self._values), padded(shares, chunk)
            by_head = values.view(*weights.shape, -1).transpose(1, 2)
            total[chunk.users] = (weights.transpose(1, 2).unsqueeze(2) @ by_head).flatten(1)
        return total @ self._towards.T


def padded(shares: torch.Tensor, chunk: Chunk) -> torch.Tensor:
    """(chunk, length, heads)."""
    found = shares.new_zeros(chunk.items.numel(), shares.shape[1])
    found[chunk.cells] = shares[chunk.entries]
    return found.view(*chunk.items.shape, -1)
