"""Training of the graph attention network by link reconstruction, with early stopping on edges that are held out (method 4)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch_geometric import seed_everything
from torch_geometric.data import Data
from torch_geometric.nn import GAE
from torch_geometric.transforms import RandomLinkSplit
from tqdm import tqdm

from pipeline.common.errors import InputError
from pipeline.common.precision import products, widened
from pipeline.common.random_streams import stream, torch_seed
from pipeline.common.settings import Precision
from pipeline.common.vector_health import collapse_warning, effective_rank, link_auc
from pipeline.structure.gat.link_reconstruction import Links, reconstruction_loss
from pipeline.structure.gat.network import TwoLayerGat
from pipeline.structure.gat.settings import GatConfig

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class TrainedGat:
    """
    Attributes:
        vectors: p'', (M, output_width), over all edges.
        weights: the two layers' parameters by name.
        history: epoch, loss, masked_edge_auc: the AUC on edges that were masked from the GAT. It is no held-out figure of the whole
            way to p'': SDNE, which made P, saw all edges.
    """

    vectors: NDArray[np.float32]
    weights: dict[str, NDArray[np.float32]]
    history: list[dict[str, float]]
    figures: dict[str, float]
    warnings: list[str] = field(default_factory=list)


def train_gat(
    vectors: NDArray[np.float32],
    edge_index: NDArray[np.int64],
    config: GatConfig,
    seed: int,
    device: torch.device | str = "cpu",
    precision: Precision = "float32",
    *,
    progress: bool = False,
) -> TrainedGat:
    """Train the encoder to reconstruct the item graph, stop early on held-out edges, encode the whole graph.

    Without an edge nothing is trained, and all vectors are zero.

    Args:
        vectors: P, the initial vectors, (M, width).
        edge_index: both directions of each edge, (2, 2 * edges).
        precision: of products in training.
        progress: show a bar with epochs per second on stderr, if that is a terminal.

    Raises:
        InputError: one edge, so that none can be held out; an edge between every two items; a loss that is not finite.
    """
    if not edge_index.shape[1]:
        nothing = np.zeros((len(vectors), config.output_width), dtype=np.float32)
        return TrainedGat(nothing, {}, [], {"epochs": 0})
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
    model = GAE(TwoLayerGat(vectors.shape[1], config)).to(device)
    optimiser = torch.optim.Adam(model.parameters(), lr=config.learning_rate)
    links = Links(train.edge_index.cpu().numpy(), len(vectors), device)
    history: list[dict[str, float]] = []
    best_auc, best_epoch, best = -1.0, 0, {}
    for epoch in tqdm(range(1, config.epochs + 1), desc="GAT", unit="epoch", disable=None if progress else True):
        model.train()
        others = links.others(stream(seed, "gat other pairs", epoch))
        torch.manual_seed(torch_seed(seed, "gat", epoch))  # dropout
        optimiser.zero_grad(set_to_none=True)
        with products(precision, device):
            codes = model.encode(train.x, train.edge_index)
        loss = reconstruction_loss(widened(codes), links.edges, others)
        reported = _finite(loss, epoch)
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        model.eval()
        with torch.inference_mode():
            codes = model.encode(train.x, train.edge_index)
            auc = masked_edge_auc(model, codes, held_out.pos_edge_label_index, held_out.neg_edge_label_index)
        history.append({"epoch": epoch, "loss": reported, "masked_edge_auc": auc})
        if auc > best_auc:
            best_auc, best_epoch = auc, epoch
            best = {name: value.detach().clone() for name, value in model.encoder.state_dict().items()}
        if epoch - best_epoch >= config.patience:
            break
    model.encoder.load_state_dict(best)
    model.eval()
    with torch.inference_mode():
        structural = model.encode(train.x, data.edge_index.to(device)).cpu().numpy()
    figures = {
        "masked_edge_auc": best_auc,
        "best_epoch": best_epoch,
        "epochs": len(history),
        "effective_rank": effective_rank(structural),
    }
    weights = {name: value.cpu().numpy() for name, value in best.items()}
    return TrainedGat(structural, weights, history, figures, collapse_warning(structural, "train_gat"))


def masked_edge_auc(model: GAE, codes: torch.Tensor, edges: torch.Tensor, others: torch.Tensor) -> float:
    """The first of the two figures of `GAE.test`, which loads scikit-learn for them.

    Args:
        codes: (M, output_width).
        edges: (2, edges); others: pairs that are none, likewise.
    """
    return link_auc(*(model.decoder(codes, pairs, sigmoid=True).cpu().numpy() for pairs in (edges, others)))


def _finite(loss: torch.Tensor, epoch: int) -> float:
    """The loss as a number.

    Raises:
        InputError: it is not finite.
    """
    value = float(loss.detach())
    if not np.isfinite(value):
        raise InputError(
            f"train_gat: found a loss of {value} in epoch {epoch}; expected a finite number; try a lower learning_rate"
        )
    return value
