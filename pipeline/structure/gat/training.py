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

from pipeline.common.config import Config
from pipeline.common.errors import InputError
from pipeline.common.random_streams import stream, torch_seed
from pipeline.common.vector_health import collapse_warning, effective_rank

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

    from pipeline.structure.gat.layer import AttentionGraph, AttentionLayer, attention_graph

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

    from pipeline.structure.gat.link_reconstruction import Links, reconstruction_loss

    training = start_training(vectors, edge_index, config, seed, device)
    model, train = training.model, training.train
    links = Links(train.edge_index.cpu().numpy(), len(vectors))

    def run_epoch(epoch: int) -> float:
        others = links.others(stream(seed, "gat other pairs", epoch))
        torch.manual_seed(torch_seed(seed, "gat", epoch))  # dropout
        training.optimiser.zero_grad(set_to_none=True)
        loss = reconstruction_loss(model.encode(train.x, train.edge_index), links.edges, others)
        reported = finite(loss, epoch)
        loss.backward()  # type: ignore[no-untyped-call]
        training.optimiser.step()
        return reported

    def encode(edges: torch.Tensor) -> torch.Tensor:
        codes: torch.Tensor = model.encode(train.x, edges)
        return codes

    return early_stopped(
        training,
        config,
        run_epoch,
        lambda: encode(train.edge_index),
        lambda: encode(training.data.edge_index.to(device)),
        progress=progress,
    )


@dataclass(frozen=True)
class Training:
    """
    Attributes:
        data: the whole graph.
        train: its edges without those held out, both directions of each.
        held_out: the edges held out, and as many pairs without an edge.
        model: PyTorch Geometric's GAE.
        optimiser: of the model's weights.
    """

    data: Any
    train: Any
    held_out: Any
    model: Any
    optimiser: torch.optim.Optimizer


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
    from torch_geometric import seed_everything
    from torch_geometric.data import Data
    from torch_geometric.nn import GAE
    from torch_geometric.transforms import RandomLinkSplit

    if edge_index.shape[1] < 4:
        raise InputError(
            f"item graph: found {edge_index.shape[1] // 2} edges, expected at least 2 to hold one out; a lower s_m gives more"
        )
    # Not torch.manual_seed alone: PyTorch Geometric's negative sampling draws from Python's own generator.
    seed_everything(torch_seed(seed, "gat"))
    held_out_count = max(1, int(config.held_out_edges * (edge_index.shape[1] // 2)))
    data = Data(x=torch.from_numpy(vectors), edge_index=torch.from_numpy(edge_index))
    split = RandomLinkSplit(
        num_val=held_out_count, num_test=0, is_undirected=True, add_negative_train_samples=False, split_labels=True
    )
    train, held_out, _ = split(data.to(device))
    if "neg_edge_label_index" not in held_out or not held_out.neg_edge_label_index.shape[1]:
        raise InputError(
            "item graph: found an edge between every two items, expected some without; a higher s_m keeps fewer"
        )
    model = GAE(build_gat(vectors.shape[1], config)).to(device)
    return Training(data, train, held_out, model, torch.optim.Adam(model.parameters(), lr=config.learning_rate))


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

    model, held_out = training.model, training.held_out
    history: list[dict[str, float]] = []
    best_auc, best_epoch, best = -1.0, 0, {}
    for epoch in tqdm(range(1, config.epochs + 1), desc="GAT", unit="epoch", disable=not progress):
        model.train()
        loss = run_epoch(epoch)
        model.eval()
        with torch.inference_mode():
            auc = float(model.test(encode_trained(), held_out.pos_edge_label_index, held_out.neg_edge_label_index)[0])
        history.append({"epoch": epoch, "loss": loss, "held_out_auc": auc})
        if auc > best_auc:
            best_auc, best_epoch = auc, epoch
            best = {name: value.detach().clone() for name, value in model.encoder.state_dict().items()}
        if epoch - best_epoch >= config.patience:
            break
    model.encoder.load_state_dict(best)
    model.eval()
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
