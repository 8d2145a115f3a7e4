"""Biases of items as a function of what is known of them before: b_c = start(n_c) + g(x_c), g a small network for all items.

A free parameter for each item is fitted to counts that include the target itself, so that it memorises how often a rare item was rated.
A function of the counts without the target cannot, and it is right for an item that nobody rated: by those around it in the graph.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import nn

from pipeline.users.knowledge import Features

HIDDEN = 16


class OfItems(NamedTuple):
    """A head's bias of each item, (M,): by all ratings; by one like fewer; by one dislike fewer."""

    whole: torch.Tensor
    without_like: torch.Tensor
    without_dislike: torch.Tensor


class CountBiases(nn.Module):
    """
    Args:
        features: of all items.
        starts: head to where its biases start, a function of counts, each (M,) as of `OfItems`.
    """

    def __init__(self, features: Features, starts: Mapping[str, OfItems]) -> None:
        super().__init__()
        self.heads = tuple(starts)
        for name in OfItems._fields:
            self.register_buffer(f"x_{name}", torch.from_numpy(getattr(features, name)), persistent=False)
            self.register_buffer(
                f"start_{name}",
                torch.stack([getattr(start, name) for start in starts.values()], dim=1),
                persistent=False,
            )
        width = features.whole.shape[1]
        self.inner, self.outer = nn.Linear(width, HIDDEN), nn.Linear(HIDDEN, len(starts))
        nn.init.zeros_(self.outer.weight)
        nn.init.zeros_(self.outer.bias)

    def forward(self) -> dict[str, OfItems]:
        found = [
            self.get_buffer(f"start_{name}") + self.outer(torch.tanh(self.inner(self.get_buffer(f"x_{name}"))))
            for name in OfItems._fields
        ]
        return {head: OfItems(*(one[:, place] for one in found)) for place, head in enumerate(self.heads)}


def starts_by_counts(
    start: Callable[[np.ndarray, np.ndarray], Mapping[str, np.ndarray]],
    likes: np.ndarray,
    dislikes: np.ndarray,
    heads: Sequence[str],
) -> dict[str, OfItems]:
    """
    Args:
        start: of likes and dislikes of each item, each (M,), head to biases, (M,).
    """
    cases = (
        start(likes, dislikes),
        start(np.maximum(likes - 1, 0), dislikes),
        start(likes, np.maximum(dislikes - 1, 0)),
    )
    return {head: OfItems(*(torch.tensor(case[head], dtype=torch.float32) for case in cases)) for head in heads}
