"""SDNE for large catalogues: sparse rows go in, and of what comes out a part is looked at.

The second-order term of a batch B of rows (`pipeline.sdne`) has an error e_ij = x^_ij - x_ij for each of all M columns:

    sum_{i in B} ( sum_{j: x_ij = 1} beta^2 e_ij^2  +  sum_{j: x_ij = 0} e_ij^2 )

The first sum has an entry for each edge, and is taken whole. The second has nearly M entries to a row; of these stand those in
S of the M columns, drawn anew for each batch without replacement, the same for all its rows:

    sum_{j: x_ij = 0} e_ij^2  is estimated by  M / S  sum_{j drawn, x_ij = 0} e_ij^2

Each column is drawn with probability S / M, so the mean over all draws is the sum itself (Horvitz and Thompson, 1952), and that of
the gradient the gradient. A drawn column that is an edge of the row counts for no zero of that row.
The two matrices with a row for each item (of the first layer, and of the last) have their L2 term over the same S rows, times M / S.
With S = M all is exact.

A row of 0/1 entries times the first layer's matrix is the sum of the matrix's rows at the neighbours, so nothing M wide is made.
A step then meets rows of the two matrices for the drawn and for the batch's neighbours, and no others; the gradient holds these
alone, and so does Adam's step (`torch.optim.SparseAdam`: an item's moments stand still where it is not met). Adam proper passes over
both matrices and their moments in every step: M / batch steps of M rows each are M^2 again.

A pass costs O(edges h + M S h) instead of O(M^2 h); a batch's memory is O((its edges + S) h + batch S) beside the weights.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from pipeline.sdne_network import Autoencoder, Losses

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray
    from scipy.sparse import csr_matrix

# Pairs whose output rows are held at once in reconstruction.
PAIRS = 65_536


class SampledColumns:
    """How a batch of rows is read, written and learned from: never densified, and a step moves the items that it meets.

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
        import torch

        for half in network:
            half.to(device)
        self.network = by_items(network)
        self._beta, self._size, self._random = beta, size, random
        self._optimisers = [
            torch.optim.SparseAdam(self.network.by_item(), lr=learning_rate),
            torch.optim.Adam(self.network.others(), lr=learning_rate, fused=True),
        ]

    def losses(self, adjacency: csr_matrix, batch: NDArray[np.int64]) -> Losses:
        columns = np.sort(self._random.choice(adjacency.shape[0], self._size, replace=False, shuffle=False))
        return sampled_losses(self.network, adjacency, batch, columns, self._beta)

    def step(self, loss: torch.Tensor) -> None:
        for optimiser in self._optimisers:
            optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        for optimiser in self._optimisers:
            optimiser.step()

    def codes(self, adjacency: csr_matrix, batch: NDArray[np.int64]) -> torch.Tensor:
        return self.network.codes(adjacency[batch])

    def entries(
        self, codes: torch.Tensor, sources: NDArray[np.int64], targets: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        """x^_ij for pairs of a row of ``codes`` and an item."""
        return reconstructed(self.network, codes, sources, targets)


class SparseAutoencoder(NamedTuple):
    """An autoencoder whose first and last layer are kept by items.

    Attributes:
        inputs: of the first layer, (M, h).
        bias: of the first layer, (h,).
        encoder: from there to the code: activation, and further layers.
        decoder: from the code to what the last layer reads.
        outputs: of the last layer, (M, h + 1), the bias in the last column.
        activation: of the last layer.
    """

    inputs: torch.nn.Parameter
    bias: torch.nn.Parameter
    encoder: torch.nn.Sequential
    decoder: torch.nn.Sequential
    outputs: torch.nn.Parameter
    activation: torch.nn.Module

    def codes(self, rows: csr_matrix) -> torch.Tensor:
        """Codes y of adjacency rows, (batch, code)."""
        import torch
        from torch.nn.functional import embedding_bag

        device = self.inputs.device
        neighbours = torch.from_numpy(rows.indices.astype(np.int64)).to(device)
        starts = torch.from_numpy(rows.indptr[:-1].astype(np.int64)).to(device)
        summed = embedding_bag(neighbours, self.inputs, starts, mode="sum", sparse=True)
        codes: torch.Tensor = self.encoder(summed + self.bias)
        return codes

    def by_item(self) -> list[torch.nn.Parameter]:
        return [self.inputs, self.outputs]

    def others(self) -> list[torch.nn.Parameter]:
        return [self.bias, *self.encoder.parameters(), *self.decoder.parameters()]


def by_items(network: Autoencoder) -> SparseAutoencoder:
    """The same network, its first and last layer copied to where items are rows; the layers between are shared."""
    import torch
    from torch.nn import Linear, Parameter, Sequential

    encoder, decoder = list(network.encoder), list(network.decoder)
    first, last = encoder[0], decoder[-2]
    assert isinstance(first, Linear)
    assert isinstance(last, Linear)
    return SparseAutoencoder(
        Parameter(first.weight.detach().T.contiguous()),
        first.bias,
        Sequential(*encoder[1:]),
        Sequential(*decoder[:-2]),
        Parameter(torch.cat([last.weight.detach(), last.bias.detach()[:, None]], dim=1)),
        decoder[-1],
    )


def sampled_losses(
    network: SparseAutoencoder, adjacency: csr_matrix, batch: NDArray[np.int64], columns: NDArray[np.int64], beta: float
) -> Losses:
    """The three terms over a batch of nodes, those of `pipeline.sdne.sdne_losses` on average over all draws of the columns.

    Args:
        adjacency: (M, M).
        batch: nodes.
        columns: drawn, (S,), each once.
    """
    import torch
    from torch.nn.functional import embedding, linear

    device = network.inputs.device
    rows = adjacency[batch]
    codes = network.codes(rows)
    hidden = network.decoder(codes)
    source, target = (torch.from_numpy(part.astype(np.int64)).to(device) for part in _entries(rows))
    edges = network.activation(_outputs(network, hidden, source, target))
    second = beta**2 * (edges - 1).square().sum()
    drawn = embedding(torch.from_numpy(columns).to(device), network.outputs, sparse=True)
    zeros = network.activation(linear(hidden, drawn[:, :-1], drawn[:, -1]))
    there = torch.from_numpy(np.stack(_entries(rows[:, columns])).astype(np.int64)).to(device)
    zeros = zeros.index_put((there[0], there[1]), zeros.new_zeros(()))
    share = len(columns) / adjacency.shape[0]
    second = second + zeros.square().sum() / share
    left, right = (torch.from_numpy(part.astype(np.int64)).to(device) for part in _entries(rows[:, batch]))
    # Each edge is there from both its ends.
    first = (codes[left] - codes[right]).square().sum() / 2
    entering = embedding(torch.from_numpy(columns).to(device), network.inputs, sparse=True)
    l2 = torch.stack([part.square().sum() for part in (entering, drawn[:, :-1])]).sum() / share
    between = [parameter.square().sum() for parameter in network.others() if parameter.dim() == 2]
    return Losses(second, first, torch.stack([l2, *between]).sum() / 2)


def reconstructed(
    network: SparseAutoencoder, codes: torch.Tensor, sources: NDArray[np.int64], targets: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Entries x^_ij for pairs, `PAIRS` of them at a time.

    Args:
        codes: of some nodes, (nodes, code).
        sources: rows of ``codes``, (pairs,).
        targets: j, (pairs,).
    """
    import torch

    hidden = network.decoder(codes)
    scores = np.empty(len(sources), dtype=np.float32)
    for start in range(0, len(sources), PAIRS):
        part = slice(start, start + PAIRS)
        pairs = (torch.from_numpy(ends[part]).to(hidden.device) for ends in (sources, targets))
        scores[part] = network.activation(_outputs(network, hidden, *pairs)).cpu().numpy()
    return scores


def _outputs(
    network: SparseAutoencoder, hidden: torch.Tensor, source: torch.Tensor, target: torch.Tensor
) -> torch.Tensor:
    """What the last layer gives before its activation for pairs of a row of ``hidden`` and an item, (pairs,)."""
    from torch.nn.functional import embedding

    reached = embedding(target, network.outputs, sparse=True)
    return (hidden[source] * reached[:, :-1]).sum(dim=1) + reached[:, -1]


def _entries(rows: csr_matrix) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Row and column of each entry that is stored."""
    entries = rows.tocoo()
    return entries.row, entries.col
