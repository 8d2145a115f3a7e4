"""Training of the graph attention network by mini-batches, for graphs too large for `pipeline.structure.gat.gat.train_gat`.

A batch has some of the edges to reconstruct, and as many pairs without an edge, drawn uniformly from the pairs of items that are
drawn for it: on average its loss is that of the full batch. To compute the vectors of a batch's items, each layer reads a sample
of the neighbours of each item (Hamilton, Ying, Leskovec, "Inductive representation learning on large graphs", NeurIPS 2017),
and attention is among those. One epoch is one pass over the edges: many steps, where the full batch takes one.

Evaluation and the final vectors use all neighbours: layer by layer over the whole graph, a block of items at a time, so that only
the vectors of all items are ever held, and of the edges those of a block.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.common.random_streams import stream, torch_seed
from pipeline.structure.gat.gat import GatConfig, TrainedGat, early_stopped, finite, start_training
from pipeline.structure.gat.neighbour_sampling import Block, Neighbours

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

# Edges (and items) that a layer computes at once where the whole graph is encoded: some hundred MB at the usual widths.
BLOCK_EDGES = 200_000
# Items drawn for the negatives of a batch, for each of its edges: each is in four pairs.
ITEMS_PER_EDGE = 0.5
# As in `GAE.recon_loss`.
EPSILON = 1e-15


def train_gat_by_batches(
    vectors: NDArray[np.float32],
    edge_index: NDArray[np.int64],
    config: GatConfig,
    seed: int,
    device: torch.device | str = "cpu",
    *,
    progress: bool = False,
) -> TrainedGat:
    """As `pipeline.structure.gat.gat.train_gat`, with `batch_edges` edges of the graph in a step.

    Raises:
        InputError: as there.
    """
    import torch

    training = start_training(vectors, edge_index, config, seed, device)
    features = training.train.x
    trained_edges = training.train.edge_index.cpu().numpy()
    neighbours = Neighbours(trained_edges, len(vectors))
    once = trained_edges[:, trained_edges[0] < trained_edges[1]]
    encoder: Any = training.model.encoder

    def run_epoch(epoch: int) -> float:
        random = stream(seed, "gat batches", epoch)
        torch.manual_seed(torch_seed(seed, "gat", epoch))  # dropout
        order = random.permutation(once.shape[1])
        total = 0.0
        for start in range(0, len(order), config.batch_edges):
            edges = once[:, order[start : start + config.batch_edges]]
            training.optimiser.zero_grad(set_to_none=True)
            loss = batch_loss(training.model, features, neighbours, edges, config.sampled_neighbours, random)
            total += finite(loss, epoch) * edges.shape[1] / once.shape[1]
            loss.backward()  # type: ignore[no-untyped-call]
            training.optimiser.step()
        return total

    return early_stopped(
        training,
        config,
        run_epoch,
        lambda: encode_by_blocks(encoder, features, neighbours),
        lambda: encode_by_blocks(encoder, features, Neighbours(edge_index, len(vectors))),
        progress=progress,
    )


def batch_loss(
    model: Any,
    features: torch.Tensor,
    neighbours: Neighbours,
    edges: NDArray[np.int64],
    size: int,
    random: np.random.Generator,
) -> torch.Tensor:
    """`GAE.recon_loss` of some edges and as many other pairs, or fewer where the graph is nearly complete.

    Args:
        features: P, (M, width).
        edges: (2, edges).
        size: neighbours that each layer reads of each item; 0: all.
    """
    import torch

    drawn = random.integers(len(features), size=max(2, int(ITEMS_PER_EDGE * edges.shape[1])))
    pairs = drawn[random.integers(len(drawn), size=(2, 2 * edges.shape[1]))]
    others = pairs[:, (pairs[0] != pairs[1]) & ~neighbours.joined(*pairs)][:, : edges.shape[1]]
    nodes, numbered = np.unique(np.concatenate([edges, others], axis=1), return_inverse=True)
    codes = encode_sampled(model.encoder, features, neighbours, nodes, size, random)
    places = torch.from_numpy(numbered.reshape(2, -1)).to(codes.device)
    here = edges.shape[1]
    if not others.shape[1]:
        # The mean over no pairs would be no number.
        return -torch.log(model.decoder(codes, places, sigmoid=True) + EPSILON).mean()
    loss: torch.Tensor = model.recon_loss(codes, places[:, :here], places[:, here:])
    return loss


def encode_sampled(
    encoder: Any,
    features: torch.Tensor,
    neighbours: Neighbours,
    nodes: NDArray[np.int64],
    size: int,
    random: np.random.Generator,
) -> torch.Tensor:
    """Vectors p'' of some items, each layer reading up to ``size`` neighbours of each item (0: all), (nodes, output_width)."""
    import torch

    second = neighbours.sampled(nodes, size, random)
    first = neighbours.sampled(second.sources, size, random)
    read = features[torch.from_numpy(first.sources).to(features.device)]
    hidden = _run(encoder, encoder.first, read, first)
    return _run(encoder, encoder.second, hidden, second)


def encode_by_blocks(
    encoder: Any, features: torch.Tensor, neighbours: Neighbours, block_edges: int | None = None
) -> torch.Tensor:
    """Vectors p'' of all items with all their neighbours, (M, output_width); block by block, layer by layer."""
    import torch

    for layer in (encoder.first, encoder.second):
        parts = []
        for block in neighbours.blocks(block_edges or BLOCK_EDGES):
            read = features[torch.from_numpy(block.sources).to(features.device)]
            parts.append(_run(encoder, layer, read, block))
        features = torch.cat(parts)
    return features


def _run(encoder: Any, layer: Any, read: torch.Tensor, block: Block) -> torch.Tensor:
    import torch

    vectors: torch.Tensor = encoder.layer(layer, read, torch.from_numpy(block.edges).to(read.device), block.targets)
    return vectors
