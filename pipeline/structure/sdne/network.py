"""The autoencoder of SDNE, and the terms of its loss.

A row of 0/1 entries times the first layer's matrix is the sum of the matrix's rows at the neighbours, so that no row M wide
is ever needed to read one (`SparseAutoencoder`).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from torch import nn
from torch.autograd.function import once_differentiable
from torch.nn.functional import embedding_bag

from pipeline.common.devices import placed
from pipeline.common.precision import in_full
from pipeline.structure.sdne.activations import ACTIVATIONS, Activation

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from scipy.sparse import csr_matrix

# Pairs whose output rows are held at once in reconstruction: some megabytes.
PAIRS = 4096


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


def build_autoencoder(count: int, hidden_widths: Sequence[int], dimensions: int, activation: str) -> Autoencoder:
    """Encoder M -> hidden -> code and its mirror image, every layer with the activation, the code included."""
    function = ACTIVATIONS[activation]
    widths = [count, *hidden_widths, dimensions]

    def layers(sizes: Sequence[int]) -> nn.Sequential:
        parts: list[nn.Module] = []
        for left, right in pairwise(sizes):
            parts += [nn.Linear(left, right), function()]
        return nn.Sequential(*parts)

    return Autoencoder(layers(widths), layers(widths[::-1]))


class SparseAutoencoder(NamedTuple):
    """An autoencoder whose first and last layer are kept by items, for all M of them or for some.

    Attributes:
        inputs: of the first layer, (items, h).
        bias: of the first layer, (h,).
        encoder: from there to the code: activation, and further layers.
        decoder: from the code to what the last layer reads.
        outputs: of the last layer, (items, h).
        output_bias: of the last layer, (items,).
        activation: of the last layer.
    """

    inputs: torch.Tensor
    bias: torch.nn.Parameter
    encoder: torch.nn.Sequential
    decoder: torch.nn.Sequential
    outputs: torch.Tensor
    output_bias: torch.Tensor
    activation: Activation

    def codes(self, rows: csr_matrix) -> torch.Tensor:
        """Codes y of adjacency rows, (batch, code).

        Args:
            rows: (batch, items).
        """
        codes: torch.Tensor = self.encoder(neighbour_sums(self.inputs, rows) + self.bias)
        return codes

    def by_item(self) -> list[torch.Tensor]:
        return [self.inputs, self.outputs, self.output_bias]

    def between(self) -> list[torch.nn.Parameter]:
        """What belongs to no item."""
        return [self.bias, *self.encoder.parameters(), *self.decoder.parameters()]

    def weights(self) -> list[torch.Tensor]:
        """The weight matrices, without the biases."""
        return [parameter for parameter in (*self.by_item(), *self.between()) if parameter.dim() == 2]

    def biases(self) -> list[torch.Tensor]:
        return [parameter for parameter in (*self.by_item(), *self.between()) if parameter.dim() == 1]


def by_items(network: Autoencoder) -> SparseAutoencoder:
    """The same network, its first and last matrix copied to where items are rows; the layers between are shared."""
    encoder, decoder = list(network.encoder), list(network.decoder)
    first, last, activation = encoder[0], decoder[-2], decoder[-1]
    assert isinstance(first, nn.Linear)
    assert isinstance(last, nn.Linear)
    assert isinstance(activation, Activation)
    return SparseAutoencoder(
        nn.Parameter(first.weight.detach().T.contiguous()),
        first.bias,
        nn.Sequential(*encoder[1:]),
        nn.Sequential(*decoder[:-2]),
        nn.Parameter(last.weight.detach().clone()),
        nn.Parameter(last.bias.detach().clone()),
        activation,
    )


@in_full
def neighbour_sums(table: torch.Tensor, rows: csr_matrix) -> torch.Tensor:
    """What 0/1 rows make of a table: the sums of its rows at their entries.

    Args:
        table: (items, h).
        rows: (batch, items).

    Returns:
        (batch, h), with a gradient by ``table``.
    """
    forth, back = (
        [as_indices(part, table.device) for part in (form.indices, form.indptr[:-1])] for form in (rows, rows.tocsc())
    )
    sums: torch.Tensor = _NeighbourSums.apply(table, *forth, *back)  # type: ignore[no-untyped-call]
    return sums


class _NeighbourSums(torch.autograd.Function):
    """`embedding_bag`, and its gradient as another one: a sum over a column's entries, which nobody need sort."""

    @staticmethod
    def forward(ctx: Any, table: torch.Tensor, *indices: torch.Tensor) -> torch.Tensor:
        entries, starts, *back = indices
        ctx.save_for_backward(*back)
        return embedding_bag(entries, table, starts, mode="sum")

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, outer: torch.Tensor) -> Any:
        entries, starts = ctx.saved_tensors
        return embedding_bag(entries, outer, starts, mode="sum"), None, None, None, None


@in_full
def first_order(codes: torch.Tensor, among: csr_matrix) -> torch.Tensor:
    """Sum over edges of ||y_i - y_j||^2.

    Args:
        codes: y, (batch, code).
        among: (batch, batch), adjacency among the nodes of the batch.
    """
    entries = among.tocoo()
    left, right = (as_indices(ends, codes.device) for ends in (entries.row, entries.col))
    # Each edge is there from both its ends.
    return (codes[left] - codes[right]).square().sum() / 2


def pair_outputs(
    hidden: torch.Tensor, outputs: torch.Tensor, bias: torch.Tensor, source: torch.Tensor, target: torch.Tensor
) -> torch.Tensor:
    """What the last layer gives before its activation for pairs of a row of ``hidden`` and an item, `PAIRS` of them at a time.

    Args:
        hidden: (batch, h).
        outputs, bias: of the last layer, (items, h) and (items,).
        source, target: (pairs,).

    Returns:
        (pairs,).
    """
    found = bias[target]
    for start in range(0, len(source), PAIRS):
        part = slice(start, start + PAIRS)
        found[part] += (hidden.index_select(0, source[part]) * outputs.index_select(0, target[part])).sum(dim=1)
    return found


def reconstructed(
    network: SparseAutoencoder, codes: torch.Tensor, sources: NDArray[np.int64], targets: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Entries x^_ij for pairs.

    Args:
        codes: of some nodes, (nodes, code).
        sources: rows of ``codes``, (pairs,).
        targets: j, (pairs,).
    """
    hidden = network.decoder(codes)
    pairs = (as_indices(ends, hidden.device) for ends in (sources, targets))
    outputs = pair_outputs(hidden, network.outputs, network.output_bias, *pairs)
    entries: NDArray[np.float32] = network.activation(outputs).cpu().numpy()
    return entries


def as_indices(values: NDArray[np.integer[Any]], device: torch.device) -> torch.Tensor:
    return placed(values.astype(np.int64), device)
