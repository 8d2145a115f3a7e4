"""SDNE, structural deep network embedding (Wang, Cui, Zhu, KDD 2016), with karateclub's interface (method 3).

A deep autoencoder over the rows x_i of the adjacency matrix, whose code y_i is the node's vector. With x^_i the
reconstruction:

    second order   sum_i || (x^_i - x_i) * b_i ||^2,  b_ij = beta where x_ij = 1, else 1
    first order    alpha * sum_{(i,j) in E} || y_i - y_j ||^2
    L2             nu / 2 * sum over weight matrices of || W ||^2

Never the dense M x M matrix: a batch of rows is densified at a time. Within a batch the first-order sum runs over the
edges whose both ends are in it; the sums are scaled to the whole graph, so that alpha means the same for every batch size.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Annotated, NamedTuple

import numpy as np
from pydantic import Field

from pipeline.config import Config
from pipeline.random_streams import stream, torch_seed

if TYPE_CHECKING:
    import networkx as nx
    import torch
    from numpy.typing import NDArray
    from scipy.sparse import csr_matrix


class SdneConfig(Config):
    hidden_widths: list[Annotated[int, Field(ge=1)]] = Field(
        description="Layers between the adjacency row and the code; the decoder mirrors them"
    )
    activation: str = Field(
        pattern="^(tanh|sigmoid|relu)$", description="tanh; sigmoid collapses (every cosine near 1)"
    )
    alpha: float = Field(ge=0, description="Weight of the first-order term")
    beta: float = Field(ge=1, description="Weight of reconstructing an edge against a non-edge")
    nu: float = Field(ge=0, description="Weight of the L2 term")
    learning_rate: float = Field(gt=0, le=1, description="Of Adam")
    batch_size: int = Field(ge=1, description="Adjacency rows densified at a time")
    epochs: int = Field(ge=1, description="At most this many passes over all rows")
    tolerance: float = Field(
        ge=0, lt=1, description="Stop when five passes lower the loss by less than this share; 0: never"
    )


# Passes over which the fall of the loss is looked at: single ones go up and down.
WINDOW = 5


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


class SDNE:
    r"""Structural Deep Network Embedding, an estimator like karateclub's.

    `"Structural Deep Network Embedding" <https://doi.org/10.1145/2939672.2939753>`_ (KDD 2016).

    Args:
        dimensions: width of the code.
        seed: governs weights and batches.
        device: where to train.
        progress: show a bar with epochs per second on stderr.
        Others: see `SdneConfig`.

    Example:
        >>> model = SDNE(dimensions=16, epochs=5)                  # doctest: +SKIP
        >>> model.fit(networkx.karate_club_graph())                # doctest: +SKIP
        >>> model.get_embedding().shape                            # doctest: +SKIP
        (34, 16)
    """

    def __init__(
        self,
        dimensions: int = 64,
        hidden_widths: Sequence[int] = (256,),
        activation: str = "tanh",
        alpha: float = 0.01,
        beta: float = 10.0,
        nu: float = 1e-4,
        learning_rate: float = 1e-3,
        batch_size: int = 256,
        epochs: int = 60,
        tolerance: float = 0.0,
        seed: int = 42,
        device: torch.device | str = "cpu",
        progress: bool = False,
    ) -> None:
        self.dimensions = dimensions
        self.hidden_widths = tuple(hidden_widths)
        self.activation = activation
        self.alpha = alpha
        self.beta = beta
        self.nu = nu
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.epochs = epochs
        self.tolerance = tolerance
        self.seed = seed
        self.device = device
        self.progress = progress
        self._embedding: NDArray[np.float32] | None = None
        self.history: list[dict[str, float]] = []

    def fit(self, graph: nx.Graph) -> None:
        """Fit to an undirected, unweighted graph whose nodes are 0..n-1; self loops are left out.

        Raises:
            ValueError: the nodes are not the numbers 0..n-1.
        """
        import networkx as nx

        count = graph.number_of_nodes()
        if set(graph.nodes()) != set(range(count)):
            raise ValueError("the nodes of the graph must be the numbers 0..n-1")
        matrix = nx.to_scipy_sparse_array(graph, nodelist=range(count), weight=None, dtype=np.float32, format="lil")
        matrix.setdiag(0)
        self.fit_adjacency(matrix.tocsr())

    def fit_adjacency(self, adjacency: csr_matrix) -> None:
        """Fit to a symmetric 0/1 adjacency matrix without self loops, (M, M)."""
        import torch
        from tqdm import tqdm

        torch.manual_seed(torch_seed(self.seed, "sdne"))
        count = adjacency.shape[0]
        network = build_autoencoder(count, self.hidden_widths, self.dimensions, self.activation)
        for half in network:
            half.to(self.device)
        optimiser = torch.optim.Adam(network.parameters(), lr=self.learning_rate, fused=True)
        adjacency.sort_indices()
        self.history = []
        for epoch in tqdm(range(self.epochs), desc="SDNE", unit="epoch", disable=not self.progress):
            order = stream(self.seed, "sdne", epoch).permutation(count)
            sums = np.zeros(3)
            for start in range(0, count, self.batch_size):
                batch = order[start : start + self.batch_size]
                rows = _dense_rows(adjacency, batch).to(self.device)
                losses = sdne_losses(network, rows, rows[:, batch], self.beta)
                # A row is in the batch with one chance, an edge with that of both its ends.
                whole, pairs = count / len(batch), count * (count - 1) / max(len(batch) * (len(batch) - 1), 1)
                second, first, l2 = losses.second_order * whole, losses.first_order * pairs, losses.l2
                loss = (second + self.alpha * first + self.nu * l2) / count
                optimiser.zero_grad(set_to_none=True)
                loss.backward()
                optimiser.step()
                sums += np.array([float(term.detach()) for term in (second, first, l2)]) * len(batch) / count
            second_order, first_order, l2_term = (float(value) / count for value in sums)
            total = second_order + self.alpha * first_order + self.nu * l2_term
            self.history.append(
                {
                    "epoch": epoch + 1,
                    "loss": total,
                    "second_order": second_order,
                    "first_order": first_order,
                    "l2": l2_term,
                }
            )
            # The more items, the more steps a pass has, and the fewer passes it takes.
            if self.tolerance and epoch >= WINDOW and total > self.history[-1 - WINDOW]["loss"] * (1 - self.tolerance):
                break
        self._network = network
        with torch.inference_mode():
            parts = [
                network.encoder(_dense_rows(adjacency, batch).to(self.device)).cpu().numpy()
                for batch in self._batches(count)
            ]
        self._embedding = np.concatenate(parts)

    def get_embedding(self) -> NDArray[np.float32]:
        """The codes, (M, dimensions).

        Raises:
            ValueError: before `fit`.
        """
        if self._embedding is None:
            raise ValueError("fit the model before asking for its embedding")
        return self._embedding

    def reconstruct(
        self, adjacency: csr_matrix, sources: NDArray[np.int64], targets: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        """The entries x^_ij of the reconstruction for pairs (i, j), rows densified a batch at a time.

        Args:
            sources: i, (pairs,).
            targets: j, (pairs,).

        Returns:
            (pairs,).
        """
        import torch

        scores = np.empty(len(sources), dtype=np.float32)
        with torch.inference_mode():
            for batch in self._batches(adjacency.shape[0]):
                wanted = np.flatnonzero((sources >= batch[0]) & (sources <= batch[-1]))
                if len(wanted):
                    output = self._network.decoder(self._network.encoder(_dense_rows(adjacency, batch).to(self.device)))
                    scores[wanted] = output[sources[wanted] - batch[0], targets[wanted]].cpu().numpy()
        return scores

    def _batches(self, count: int) -> list[NDArray[np.int64]]:
        return [np.arange(start, min(start + self.batch_size, count)) for start in range(0, count, self.batch_size)]


def sdne_losses(network: Autoencoder, rows: torch.Tensor, among: torch.Tensor, beta: float) -> Losses:
    """The three terms of the loss over a batch of nodes.

    Args:
        rows: (batch, M), their adjacency rows.
        among: (batch, batch), adjacency among the nodes of the batch.
    """
    import torch

    codes = network.encoder(rows)
    error = (network.decoder(codes) - rows) * (1 + (beta - 1) * rows)
    # sum over edges of ||y_i - y_j||^2 = sum_i deg_i ||y_i||^2 - sum_ij a_ij y_i.y_j: the Laplacian's quadratic form,
    # with each edge once.
    degrees = among.sum(dim=1)
    first = (degrees * codes.square().sum(dim=1)).sum() - (codes * (among @ codes)).sum()
    l2 = torch.stack([weight.square().sum() for weight in network.weights()]).sum() / 2
    return Losses(error.square().sum(), first, l2)


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


def _dense_rows(adjacency: csr_matrix, rows: NDArray[np.int64]) -> torch.Tensor:
    import torch

    return torch.from_numpy(adjacency[rows].toarray().astype(np.float32, copy=False))
