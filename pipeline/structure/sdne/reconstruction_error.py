"""The second-order term of SDNE and its gradient, in pieces that stay in the processor's cache.

With y the output of the last layer, y = f(z), z = H W' + c, both for a batch of rows against some of the columns:

    `block_error`:  sum over zeros of y^2  +  weight * sum over edges of (y - 1)^2
    `edge_error`:   sum over edges of (y - 1)^2

Autograd would hold several matrices as large as y: z, y, the error, its weights, the gradient of each. Here a block of columns is
computed, looked at and forgotten at once: what remains of it are its share of the sum, its rows of dE/dW, and what it adds to
dE/dH. The derivative of the activations can be told from their output, so that z need not be kept either.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch.autograd.function import once_differentiable
from torch.nn.functional import embedding_bag

from pipeline.common.devices import cells_at_once
from pipeline.common.precision import in_full, narrow_on, widened
from pipeline.structure.sdne.activations import Activation
from pipeline.structure.sdne.network import as_indices

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

# Entries of y that are held at once on a CPU: 2 MiB in float32.
BLOCK_CELLS = 2**19


def block_error(
    hidden: torch.Tensor,
    weight: torch.Tensor,
    bias: torch.Tensor,
    rows: csr_matrix,
    edge_weight: float,
    activation: Activation,
) -> torch.Tensor:
    """Over all columns of ``rows``, with a gradient for the first three arguments.

    Args:
        hidden: H, (batch, h).
        weight: W, (columns, h).
        bias: c, (columns,).
        rows: adjacency, (batch, columns).
        edge_weight: of an edge's error against that of a zero.
        activation: f.

    Returns:
        A scalar.
    """
    hidden, narrow = widened(hidden), narrow_on() is not None
    by_column = rows.tocsc()
    starts = by_column.indptr
    source = as_indices(by_column.indices, hidden.device)
    target = as_indices(np.repeat(np.arange(rows.shape[1]), np.diff(starts)), hidden.device)
    with torch.no_grad():
        total, of_hidden = hidden.new_zeros(()), torch.zeros_like(hidden)
        of_weight, of_bias = torch.empty_like(weight), torch.empty_like(bias)
        size = max(cells_at_once(BLOCK_CELLS, hidden.device) // len(hidden), 1)
        for start in range(0, len(weight), size):
            block = slice(start, start + size)
            output = activation.in_place(widened(torch.addmm(bias[block], hidden, weight[block].T)))
            falls = activation.slope(output)
            edges = slice(starts[start], starts[min(start + size, len(weight))])
            flat, place = output.view(-1), source[edges] * output.shape[1] + (target[edges] - start)
            at_edges = flat[place]
            total += flat.dot(flat) - at_edges.dot(at_edges) + edge_weight * (at_edges - 1).square().sum()
            # From here on half of dE/dy, and then half of dE/dz.
            flat[place] = edge_weight * (at_edges - 1)
            falls *= output
            torch.sum(falls, 0, out=of_bias[block])
            if narrow:
                # What is given its place takes no part in autocast.
                of_weight[block] = falls.T @ hidden
                of_hidden += falls @ weight[block]
            else:
                torch.mm(falls.T, hidden, out=of_weight[block])
                of_hidden.addmm_(falls, weight[block])
    return _with_gradient(total, (hidden, of_hidden), (weight, of_weight), (bias, of_bias))


@in_full
def edge_error(
    hidden: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor, rows: csr_matrix, activation: Activation
) -> torch.Tensor:
    """Over the edges of ``rows`` alone; arguments as for `block_error`."""
    # The same entries in the order of their columns, with the place that each has in the order of the rows.
    placed = rows.copy()
    placed.data = np.arange(rows.nnz)
    by_column = placed.tocsc()
    target, starts, place, source, column_starts = (
        as_indices(part, hidden.device)
        for part in (rows.indices, rows.indptr[:-1], by_column.data, by_column.indices, by_column.indptr[:-1])
    )
    with torch.enable_grad():
        # What a row's weighted sum of W changes by with each of the weights, times H: the products h . w of the entries.
        weights = hidden.new_zeros(rows.nnz, requires_grad=True)
        sums = embedding_bag(target, weight.detach(), starts, mode="sum", per_sample_weights=weights)
        (products,) = torch.autograd.grad(sums, weights, hidden.detach())
    with torch.no_grad():
        output = activation.in_place(products + bias[target])
        falls = activation.slope(output).mul_(output - 1)
        total = (output - 1).square().sum()
        # Sums over the edges of a row, and over those of a column.
        of_hidden = embedding_bag(target, weight, starts, mode="sum", per_sample_weights=falls)
        of_weight = embedding_bag(source, hidden, column_starts, mode="sum", per_sample_weights=falls[place])
        of_bias = torch.zeros_like(bias).index_add_(0, target, falls)
    return _with_gradient(total, (hidden, of_hidden), (weight, of_weight), (bias, of_bias))


def _with_gradient(total: torch.Tensor, *halves: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
    """A sum whose gradient is known.

    Args:
        halves: what it depends on, and half of its derivative by that.
    """
    found: torch.Tensor = _KnownGradient.apply(total, *(part for pair in zip(*halves, strict=True) for part in pair))  # type: ignore[no-untyped-call]
    return found


class _KnownGradient(torch.autograd.Function):
    """Of a sum, of what it depends on, and of half its derivative by each of these."""

    @staticmethod
    def forward(ctx: Any, total: torch.Tensor, *parts: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(*parts[len(parts) // 2 :])
        return total.clone()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, outer: torch.Tensor) -> Any:
        halves = ctx.saved_tensors
        return None, *(half.mul_(2 * outer) for half in halves), *(None for _ in halves)
