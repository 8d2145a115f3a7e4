"""SDNE with every row reconstructed whole: exact, and its cost grows with the square of the items."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from pipeline.common.optimisers import Adam
from pipeline.structure.sdne.network import Autoencoder, Losses, SparseAutoencoder, by_items, first_order
from pipeline.structure.sdne.reconstruction_error import block_error

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from scipy.sparse import csr_matrix


class WholeRows:
    """How a batch of rows is learned from: against all columns, and each step moves every weight.

    Args:
        decay: what the loss has of each weight's square, nu / M; Adam adds its gradient as it passes over the weights.
    """

    def __init__(
        self, network: Autoencoder, beta: float, decay: float, learning_rate: float, device: torch.device | str = "cpu"
    ) -> None:
        for half in network:
            half.to(device)
        self.network, self._beta = by_items(network), beta
        groups: list[dict[str, Any]] = [
            {"params": self.network.weights(), "weight_decay": decay},
            {"params": self.network.biases()},
        ]
        self._optimiser = Adam(groups, learning_rate, fused=True)

    def losses(self, adjacency: csr_matrix, batch: NDArray[np.int64]) -> Losses:
        return whole_losses(self.network, adjacency, batch, self._beta)

    def step(self, loss: torch.Tensor) -> None:
        self._optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self._optimiser.step()


def whole_losses(network: SparseAutoencoder, adjacency: csr_matrix, batch: NDArray[np.int64], beta: float) -> Losses:
    """The three terms over a batch of nodes; the L2 term without a gradient (see `WholeRows`)."""
    rows = adjacency[batch]
    codes = network.codes(rows)
    hidden = network.decoder(codes)
    second = block_error(hidden, network.outputs, network.output_bias, rows, beta**2, network.activation)
    with torch.no_grad():
        l2 = torch.stack([torch.linalg.vector_norm(weight).square() for weight in network.weights()]).sum() / 2
    return Losses(second, first_order(codes, rows[:, batch]), l2)
