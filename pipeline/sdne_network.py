"""The autoencoder of SDNE, and the terms of its loss."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import torch


class Losses(NamedTuple):
    """The three terms, unweighted sums over the batch, as scalars."""

    second_order: torch.Tensor
    first_order: torch.Tensor
    l2: torch.Tensor


class Autoencoder(NamedTuple):
    """Encoder M -> hidden -> code, and decoder back."""

    encoder: torch.nn.Sequential
    decoder: torch.nn.Sequential

    def parameters(self) -> list[torch.nn.Parameter]:
        return [*self.encoder.parameters(), *self.decoder.parameters()]

    def weights(self) -> list[torch.nn.Parameter]:
        """The weight matrices, without the biases."""
        return [parameter for parameter in self.parameters() if parameter.dim() == 2]


def build_autoencoder(count: int, hidden_widths: Sequence[int], dimensions: int, activation: str) -> Autoencoder:
    """Encoder M -> hidden -> code and its mirror image, every layer with the activation, the code included."""
    from torch import nn

    function = {"tanh": nn.Tanh, "sigmoid": nn.Sigmoid, "relu": nn.ReLU}[activation]
    widths = [count, *hidden_widths, dimensions]

    def layers(sizes: Sequence[int]) -> nn.Sequential:
        parts: list[nn.Module] = []
        for left, right in pairwise(sizes):
            parts += [nn.Linear(left, right), function()]
        return nn.Sequential(*parts)

    return Autoencoder(layers(widths), layers(widths[::-1]))
