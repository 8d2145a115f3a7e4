"""SDNE, structural deep network embedding (Wang, Cui, Zhu, KDD 2016), with karateclub's interface (method 3).

A deep autoencoder over the rows x_i of the adjacency matrix, whose code y_i is the node's vector. With x^_i the
reconstruction:

    second order   sum_i || (x^_i - x_i) * b_i ||^2,  b_ij = beta where x_ij = 1, else 1
    first order    alpha * sum_{(i,j) in E} || y_i - y_j ||^2
    L2             nu / 2 * sum over weight matrices of || W ||^2

Never the dense M x M matrix: a batch of rows is read by its edges, and reconstructed in blocks of columns (`reconstruction_error`).
Within a batch the first-order sum runs over the edges whose both ends are in it; the sums are scaled to the whole graph, so that
alpha means the same for every batch size. `whole_rows` looks at all columns; for large catalogues `sampled_columns`
estimates the second-order sum by a sample of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from tqdm import tqdm

from pipeline.common.precision import products
from pipeline.common.random_streams import stream, torch_seed
from pipeline.common.settings import Precision
from pipeline.structure.sdne.network import build_autoencoder, reconstructed
from pipeline.structure.sdne.sampled_columns import SampledColumns
from pipeline.structure.sdne.whole_rows import WholeRows

if TYPE_CHECKING:
    import networkx as nx
    from numpy.typing import NDArray
    from scipy.sparse import csr_matrix


# Passes over which the fall of the loss is looked at: single ones go up and down.
WINDOW = 5


class SDNE:
    r"""Structural Deep Network Embedding, an estimator like karateclub's.

    `"Structural Deep Network Embedding" <https://doi.org/10.1145/2939672.2939753>`_ (KDD 2016).

    Args:
        dimensions: width of the code.
        seed: governs weights and batches.
        device: where to train.
        precision: of products in training.
        progress: show a bar with epochs per second on stderr, if that is a terminal.
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
        sampled_columns: int = 0,
        precision: Precision = "float32",
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
        self.sampled_columns = sampled_columns
        self.precision = precision
        self._embedding: NDArray[np.float32] | None = None
        self.history: list[dict[str, float]] = []

    def fit(self, graph: nx.Graph) -> None:
        """Fit to an undirected, unweighted graph whose nodes are 0..n-1; self loops are left out.

        Raises:
            ValueError: the nodes are not the numbers 0..n-1.
        """
        # The pipeline has matrices and does not need it.
        import networkx as nx

        count = graph.number_of_nodes()
        if set(graph.nodes()) != set(range(count)):
            raise ValueError("the nodes of the graph must be the numbers 0..n-1")
        matrix = nx.to_scipy_sparse_array(graph, nodelist=range(count), weight=None, dtype=np.float32, format="lil")
        matrix.setdiag(0)
        self.fit_adjacency(matrix.tocsr())

    def fit_adjacency(self, adjacency: csr_matrix) -> None:
        """Fit to a symmetric 0/1 adjacency matrix without self loops, (M, M)."""
        torch.manual_seed(torch_seed(self.seed, "sdne"))
        count = adjacency.shape[0]
        network = build_autoencoder(count, self.hidden_widths, self.dimensions, self.activation)
        adjacency.sort_indices()
        scheme: WholeRows | SampledColumns
        if self.sampled_columns:
            columns = stream(self.seed, "sdne columns")
            size = min(self.sampled_columns, count)
            scheme = SampledColumns(network, self.beta, self.learning_rate, self.device, size, columns)
        else:
            scheme = WholeRows(network, self.beta, self.nu / max(count, 1), self.learning_rate, self.device)
        del network
        self._network = scheme.network
        self.history = []
        for epoch in tqdm(range(self.epochs), desc="SDNE", unit="epoch", disable=None if self.progress else True):
            order = stream(self.seed, "sdne", epoch).permutation(count)
            sums = np.zeros(3)
            # Looked at when the pass is done: a GPU would be waited for at every step.
            steps: list[tuple[int, torch.Tensor]] = []
            for start in range(0, count, self.batch_size):
                batch = order[start : start + self.batch_size]
                with products(self.precision, self.device):
                    losses = scheme.losses(adjacency, batch)
                # A row is in the batch with one chance, an edge with that of both its ends.
                whole, pairs = count / len(batch), count * (count - 1) / max(len(batch) * (len(batch) - 1), 1)
                second, first, l2 = losses.second_order * whole, losses.first_order * pairs, losses.l2
                scheme.step((second + self.alpha * first + self.nu * l2) / count)
                steps.append((len(batch), torch.stack([second, first, l2]).detach()))
            for (size, _), terms in zip(steps, torch.stack([terms for _, terms in steps]).tolist(), strict=True):
                sums += np.array(terms) * size / count
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
        with torch.inference_mode():
            parts = [self._network.codes(adjacency[batch]).cpu().numpy() for batch in self._batches(count)]
        self._embedding = np.concatenate(parts)

    def get_embedding(self) -> NDArray[np.float32]:
        """The codes, (M, dimensions).

        Raises:
            ValueError: before `fit`.
        """
        if self._embedding is None:
            raise ValueError("fit the model before asking for its embedding")
        return self._embedding

    def encoder_arrays(self) -> dict[str, NDArray[np.float32]]:
        """The weights by which `codes_of` makes codes of further rows, by name."""
        layers = {f"layers.{name}": value for name, value in self._network.encoder.state_dict().items()}
        found = {"inputs": self._network.inputs, "bias": self._network.bias} | layers
        return {name: value.detach().cpu().numpy() for name, value in found.items()}

    def reconstruct(
        self, adjacency: csr_matrix, sources: NDArray[np.int64], targets: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        """The entries x^_ij of the reconstruction for pairs (i, j), a batch of rows at a time.

        Args:
            sources: i, (pairs,).
            targets: j, (pairs,).

        Returns:
            (pairs,).
        """
        scores = np.empty(len(sources), dtype=np.float32)
        with torch.inference_mode():
            for batch in self._batches(adjacency.shape[0]):
                wanted = np.flatnonzero((sources >= batch[0]) & (sources <= batch[-1]))
                if len(wanted):
                    codes = self._network.codes(adjacency[batch])
                    scores[wanted] = reconstructed(self._network, codes, sources[wanted] - batch[0], targets[wanted])
        return scores

    def _batches(self, count: int) -> list[NDArray[np.int64]]:
        return [np.arange(start, min(start + self.batch_size, count)) for start in range(0, count, self.batch_size)]
