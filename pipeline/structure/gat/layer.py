"""PyTorch Geometric's graph attention layer, with its parameters and names, computed by `pipeline.structure.gat.attention_sum`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch_geometric.nn import GATConv

from pipeline.structure.gat.attention_sum import DTYPES, attention_sum
from pipeline.structure.gat.sorted_pairs import SortedPairs, sorted_pairs


@dataclass(frozen=True)
class AttentionGraph:
    """Who attends to whom.

    Attributes:
        edge_index: source and target of each edge, (2, edges).
        pairs: target and source of each edge, every target's self loop in place of those in ``edge_index``; none where
            edges are not on the CPU.
    """

    edge_index: torch.Tensor
    pairs: SortedPairs | None


def attention_graph(edge_index: torch.Tensor, items: int) -> AttentionGraph:
    """Sort the edges once for all layers and epochs.

    Args:
        edge_index: source and target of each edge, (2, edges).
        items: how many there are.

    Raises:
        ValueError: an edge from or to an item that is not there.
    """
    if edge_index.device.type != "cpu":
        return AttentionGraph(edge_index, None)
    source, target = edge_index.numpy()
    others = source != target
    itself = np.arange(items)
    pairs = sorted_pairs(np.r_[target[others], itself], np.r_[source[others], itself], (items, items))
    return AttentionGraph(edge_index, pairs)


class AttentionLayer(GATConv):  # type: ignore[misc]
    """`GATConv` without biases, called as ``layer(vectors, graph)``.

    On another device than the CPU it is `GATConv`, which makes a message for each edge.
    """

    def __init__(self, width: int, out: int, *, heads: int, concat: bool, negative_slope: float) -> None:
        super().__init__(width, out, heads=heads, concat=concat, negative_slope=negative_slope, bias=False)

    def forward(self, vectors: torch.Tensor, graph: AttentionGraph) -> torch.Tensor:
        """The layer's vectors, (items, heads * out) or the mean of the heads, (items, out).

        Args:
            vectors: (items, width).
        """
        if graph.pairs is None or vectors.dtype not in DTYPES:
            found: torch.Tensor = super().forward(vectors, graph.edge_index)
            return found
        # a . (W p) = (W^T a) . p: the logits need no pass over W p.
        weight = self.lin.weight.view(self.heads, self.out_channels, -1)
        of_sources, of_targets = (
            torch.einsum("hci,hc->ih", weight, attention[0]) for attention in (self.att_src, self.att_dst)
        )
        return attention_sum(
            self.lin(vectors),
            vectors @ of_sources,
            vectors @ of_targets,
            graph.pairs,
            self.negative_slope,
            concat=self.concat,
        )
