"""Graph attention over the item graph (method 4; Veličković et al., ICLR 2018), trained by link reconstruction.

alpha_ij = softmax_j( LeakyReLU( a^T [W p_i || W p_j] ) ),  j over the neighbours of i and i itself
layer 1, K heads concatenated:  p'_i  = ||_k ELU( sum_j alpha_ij^k W^k p_j )
layer 2, K heads averaged:      p''_i = ELU( 1/K sum_k sum_j alpha_ij^k W^k p'_j )
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import Field

from pipeline.adam import Adam
from pipeline.config import Config
from pipeline.errors import InputError
from pipeline.held_out_edges import hold_out
from pipeline.random_streams import stream, torch_seed
from pipeline.vector_health import collapse_warning, effective_rank, link_auc

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray


class GatConfig(Config):
    heads: int = Field(ge=1, le=64, description="Attention heads of both layers")
    hidden_width: int = Field(ge=1, le=4096, description="Width of layer 1 per head; its heads are concatenated")
    output_width: int = Field(
        ge=1, le=4096, description="Width of p'', the structural vector; layer 2's heads are averaged"
    )
    dropout: float = Field(ge=0, lt=1, description="On layer inputs, in training")
    negative_slope: float = Field(ge=0, lt=1, description="Of the LeakyReLU")
    learning_rate: float = Field(gt=0, le=1, description="Of Adam")
    held_out_edges: float = Field(gt=0, lt=0.5, description="Fraction of edges kept back for early stopping")
    epochs: int = Field(ge=1, description="At most this many")
    patience: int = Field(ge=1, description="Epochs without a better held-out AUC before stopping")
    batch_edges: int = Field(
        ge=0,
        description="0: all edges in one step; otherwise this many in a step, an epoch being a pass over them all: "
        "for graphs whose full batch does not fit into memory",
    )
    sampled_neighbours: int = Field(
        ge=0,
        description="Where batch_edges is not 0: how many neighbours of an item a layer reads, drawn for each batch; 0: all",
    )


@dataclass(frozen=True)
class TrainedGat:
    """
    Attributes:
        vectors: p'', (M, output_width), over all edges.
        weights: the two layers' parameters by name.
        history: epoch, loss, held_out_auc.
    """

    vectors: NDArray[np.float32]
    weights: dict[str, NDArray[np.float32]]
    history: list[dict[str, float]]
    figures: dict[str, float]
    warnings: list[str] = field(default_factory=list)


def build_gat(input_width: int, config: GatConfig) -> torch.nn.Module:
    """The two-layer encoder, called as ``encoder(vectors, edge_index)``.

    No biases, as the equations have none; an isolated item attends to itself by its self loop. Edges are sorted once for as long
    as the same tensor of them is given, whose content must not change.
    """
    import torch
    from torch.nn.functional import dropout, elu

    from pipeline.attention_layer import AttentionGraph, AttentionLayer, attention_graph

    class TwoLayerGat(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            shared: Any = {"heads": config.heads, "negative_slope": config.negative_slope}
            self.first = AttentionLayer(input_width, config.hidden_width, concat=True, **shared)
            self.second = AttentionLayer(
                config.heads * config.hidden_width, config.output_width, concat=False, **shared
            )
            self.graph: AttentionGraph | None = None

        def layer(
            self, conv: torch.nn.Module, vectors: torch.Tensor, edge_index: torch.Tensor, targets: int | None = None
        ) -> torch.Tensor:
            """One layer over all items, or over the first ``targets`` of those that are read."""
            vectors = dropout(vectors, config.dropout, self.training)
            if targets is not None:
                graph = attention_graph(edge_index, len(vectors), targets)
                return elu(conv((vectors, vectors[:targets]), graph))
            if self.graph is None or self.graph.edge_index is not edge_index:
                self.graph = attention_graph(edge_index, len(vectors))
            return elu(conv(vectors, self.graph))

        def forward(self, vectors: torch.Tensor, edge_index: torch.Tensor) -> torch.Tensor:
            return self.layer(self.second, self.layer(self.first, vectors, edge_index), edge_index)

    return TwoLayerGat()


def train_gat(
    vectors: NDArray[np.float32],
    edge_index: NDArray[np.int64],
    config: GatConfig,
    seed: int,
    device: torch.device | str = "cpu",
    *,
    progress: bool = False,
) -> TrainedGat:
    """Train the encoder to reconstruct the item graph, stop early on held-out edges, encode the whole graph.

    Args:
        vectors: P, the initial vectors, (M, width).
        edge_index: both directions of each edge, (2, 2 * edges).
        progress: show a bar with epochs per second on stderr.

    Raises:
        InputError: fewer than two edges, so that none can be held out.
    """
    import torch

    from pipeline.link_reconstruction import Links, reconstruction_loss

    training = start_training(vectors, edge_index, config, seed, device)
    links = Links(training.trained_edges.cpu().numpy(), len(vectors))

    def run_epoch(epoch: int) -> float:
        others = links.others(stream(seed, "gat other pairs", epoch))
        torch.manual_seed(torch_seed(seed, "gat", epoch))  # dropout
        training.optimiser.zero_grad()
        loss = reconstruction_loss(encode(training.trained_edges), links.edges, others)
        reported = finite(loss, epoch)
        loss.backward()  # type: ignore[no-untyped-call]
        training.optimiser.step()
        return reported

    def encode(edges: torch.Tensor) -> torch.Tensor:
        codes: torch.Tensor = training.encoder(training.features, edges)
        return codes

    return early_stopped(
        training,
        config,
        run_epoch,
        lambda: encode(training.trained_edges),
        lambda: encode(training.edges),
        progress=progress,
    )


@dataclass(frozen=True)
class Training:
    """
    Attributes:
        features: P, (M, width).
        edges: both directions of each edge, (2, 2 * edges).
        trained_edges: the same of those that are not held out.
        held_out: the edges held out, (2, held out).
        others: as many pairs without an edge.
        encoder: what `build_gat` gives.
        optimiser: of the encoder's weights.
    """

    features: torch.Tensor
    edges: torch.Tensor
    trained_edges: torch.Tensor
    held_out: torch.Tensor
    others: torch.Tensor
    encoder: Any
    optimiser: Adam


def start_training(
    vectors: NDArray[np.float32],
    edge_index: NDArray[np.int64],
    config: GatConfig,
    seed: int,
    device: torch.device | str = "cpu",
) -> Training:
    """Hold edges out, and draw the weights to start from.

    Args and Raises: see `train_gat`.
    """
    import torch

    if edge_index.shape[1] < 4:
        raise InputError(
            f"item graph: found {edge_index.shape[1] // 2} edges, expected at least 2 to hold one out; a lower s_m gives more"
        )
    count = max(1, int(config.held_out_edges * (edge_index.shape[1] // 2)))
    held_out = hold_out(edge_index, len(vectors), count, torch_seed(seed, "gat"))
    if not held_out.others.shape[1]:
        raise InputError(
            "item graph: found an edge between every two items, expected some without; a higher s_m keeps fewer"
        )
    encoder: Any = build_gat(vectors.shape[1], config)
    # Once more after all layers have drawn theirs, as PyTorch Geometric's GAE does: the same seed starts from the same weights.
    for layer in (encoder.first, encoder.second):
        layer.reset_parameters()
    encoder = encoder.to(device)

    def tensor(array: NDArray[Any]) -> torch.Tensor:
        return torch.from_numpy(np.ascontiguousarray(array)).to(device)

    return Training(
        features=tensor(vectors),
        edges=tensor(edge_index),
        trained_edges=tensor(held_out.trained),
        held_out=tensor(held_out.edges),
        others=tensor(held_out.others),
        encoder=encoder,
        optimiser=Adam(encoder.parameters(), config.learning_rate),
    )


def finite(loss: torch.Tensor, epoch: int) -> float:
    """The loss as a number.

    Raises:
        InputError: it is not finite.
    """
    value = float(loss.detach())
    if not np.isfinite(value):
        raise InputError(
            f"train_gat: found a loss of {value} in epoch {epoch}; expected a finite one; a lower learning_rate helps"
        )
    return value


def early_stopped(
    training: Training,
    config: GatConfig,
    run_epoch: Callable[[int], float],
    encode_trained: Callable[[], torch.Tensor],
    encode_all: Callable[[], torch.Tensor],
    *,
    progress: bool = False,
) -> TrainedGat:
    """Run epochs until held-out edges are told no better, and encode with the best weights.

    Args:
        run_epoch: trains one epoch, given its number from 1 on; gives the loss.
        encode_trained: p'' over the edges that are trained on.
        encode_all: p'' over all edges.
    """
    import torch
    from tqdm import tqdm

    from pipeline.link_reconstruction import probabilities

    encoder = training.encoder
    history: list[dict[str, float]] = []
    best_auc, best_epoch, best = -1.0, 0, {}
    for epoch in tqdm(range(1, config.epochs + 1), desc="GAT", unit="epoch", disable=not progress):
        encoder.train()
        loss = run_epoch(epoch)
        encoder.eval()
        with torch.inference_mode():
            codes = encode_trained()
            scores = (probabilities(codes, pairs).cpu().numpy() for pairs in (training.held_out, training.others))
        auc = link_auc(*scores)
        history.append({"epoch": epoch, "loss": loss, "held_out_auc": auc})
        if auc > best_auc:
            best_auc, best_epoch = auc, epoch
            best = {name: value.detach().clone() for name, value in encoder.state_dict().items()}
        if epoch - best_epoch >= config.patience:
            break
    encoder.load_state_dict(best)
    encoder.eval()
    with torch.inference_mode():
        structural = encode_all().cpu().numpy()
    figures = {
        "held_out_auc": best_auc,
        "best_epoch": best_epoch,
        "epochs": len(history),
        "effective_rank": effective_rank(structural),
    }
    weights = {name: value.cpu().numpy() for name, value in best.items()}
    return TrainedGat(structural, weights, history, figures, collapse_warning(structural, "train_gat"))
