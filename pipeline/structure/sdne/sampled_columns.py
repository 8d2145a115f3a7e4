"""SDNE for large catalogues: sparse rows go in, and of what comes out a part is looked at.

The second-order term of a batch B of rows (`estimator`) has an error e_ij = x^_ij - x_ij for each of all M columns:

    sum_{i in B} ( sum_{j: x_ij = 1} beta^2 e_ij^2  +  sum_{j: x_ij = 0} e_ij^2 )

The first sum has an entry for each edge, and is taken whole. The second has nearly M entries to a row; of these stand those in
S of the M columns, drawn anew for each batch without replacement, the same for all its rows:

    sum_{j: x_ij = 0} e_ij^2  is estimated by  M / S  sum_{j drawn, x_ij = 0} e_ij^2

Each column is drawn with probability S / M, so the mean over all draws is the sum itself (Horvitz and Thompson, 1952), and that of
the gradient the gradient. A drawn column that is an edge of the row counts for no zero of that row.
The two matrices with a row for each item (of the first layer, and of the last) have their L2 term over the same S rows, times M / S.
With S = M all is exact.

A step meets rows of these two matrices for the drawn and for the batch's neighbours, and no others. They are taken out, each once,
and the loss is that of the small network they make. Adam passes over both matrices in every step, fused: M^2 h / batch in all,
which up to 100,000 items took no longer than moving the rows met alone (docs/large_catalogues.md). Larger ones move by the rows
met (`by_rows_met`).

A pass costs O(edges h + M S h), and with dense steps M^2 h / batch more, instead of O(M^2 h); a batch's memory is
O((its edges + S) h + batch S) beside the weights.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from scipy.sparse import csr_matrix
from torch.nn.functional import embedding

from pipeline.common.optimisers import Adam, RowAdam, by_rows_met
from pipeline.common.sorted_unique import sorted_unique
from pipeline.structure.sdne.network import Autoencoder, Losses, SparseAutoencoder, as_indices, by_items, first_order
from pipeline.structure.sdne.reconstruction_error import block_error, edge_error

if TYPE_CHECKING:
    from numpy.typing import NDArray


class SampledColumns:
    """How a batch of rows is learned from: by a sample of the columns.

    Args:
        size: S, how many columns are drawn for a batch.
        random: what draws them.
    """

    def __init__(
        self,
        network: Autoencoder,
        beta: float,
        learning_rate: float,
        device: torch.device | str,
        size: int,
        random: np.random.Generator,
    ) -> None:
        for half in network:
            half.to(device)
        self.network = by_items(network)
        self._beta, self._size, self._random = beta, size, random
        matrices = [self.network.inputs, self.network.outputs]
        self._by_rows = by_rows_met(matrices, device)
        rest = [self.network.output_bias, *self.network.between()]
        self._optimisers: list[torch.optim.Optimizer] = [
            Adam(
                rest if self._by_rows else [*self.network.by_item(), *self.network.between()], learning_rate, fused=True
            )
        ]
        if self._by_rows:
            self._optimisers.append(RowAdam(matrices, learning_rate))

    def losses(self, adjacency: csr_matrix, batch: NDArray[np.int64]) -> Losses:
        columns = np.sort(self._random.choice(adjacency.shape[0], self._size, replace=False, shuffle=False))
        return sampled_losses(self.network, adjacency, batch, columns, self._beta, self._by_rows)

    def step(self, loss: torch.Tensor) -> None:
        for optimiser in self._optimisers:
            optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        for optimiser in self._optimisers:
            optimiser.step()


def sampled_losses(
    network: SparseAutoencoder,
    adjacency: csr_matrix,
    batch: NDArray[np.int64],
    columns: NDArray[np.int64],
    beta: float,
    by_rows: bool = False,
) -> Losses:
    """The three terms over a batch of nodes, those of `whole_rows.whole_losses` on average over all draws of the columns.

    Args:
        adjacency: (M, M).
        batch: nodes.
        columns: drawn, (S,), each once, ascending.
        by_rows: the slopes of the two matrices are of the rows met alone.
    """
    rows = adjacency[batch]
    items = sorted_unique(np.concatenate([rows.indices, columns]))
    met = as_indices(items, network.inputs.device)
    inputs, outputs = (
        embedding(met, table, sparse=True) if by_rows else table.index_select(0, met)
        for table in (network.inputs, network.outputs)
    )
    bias = network.output_bias.index_select(0, met)
    part = network._replace(inputs=inputs, outputs=outputs, output_bias=bias)
    among_met = csr_matrix((rows.data, np.searchsorted(items, rows.indices), rows.indptr), (len(batch), len(items)))
    codes = part.codes(among_met)
    hidden = part.decoder(codes)
    edges = edge_error(hidden, outputs, bias, among_met, part.activation)
    drawn = as_indices(np.searchsorted(items, columns), met.device)
    entering, weights, biases = (table.index_select(0, drawn) for table in part.by_item())
    zeros = block_error(hidden, weights, biases, rows[:, columns], 0.0, part.activation)
    share = len(columns) / adjacency.shape[0]
    l2 = torch.stack([table.square().sum() for table in (entering, weights)]).sum() / share
    between = [parameter.square().sum() for parameter in network.between() if parameter.dim() == 2]
    return Losses(
        beta**2 * edges + zeros / share,
        first_order(codes, rows[:, batch]),
        torch.stack([l2, *between]).sum() / 2,
    )
