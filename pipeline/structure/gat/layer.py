"""PyTorch Geometric's graph attention layer, with its parameters and names, computed by `pipeline.structure.gat.attention_sum`."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch_geometric.nn import GATConv
from torch_geometric.utils import add_self_loops, remove_self_loops

from pipeline.structure.gat.attention_sum import DTYPES, attention_sum
from pipeline.structure.gat.sorted_pairs import SortedPairs, sorted_pairs


@dataclass(frozen=True)
class AttentionGraph:
    """Who attends to whom.

    Attributes:
        edge_index: source and target of each edge, (2, edges), as it was given.
        with_loops: the same with every item's self loop in place of those in it.
        pairs: target and source of each edge, every target's self loop in place of those in ``edge_index``; none where
            edges are not on the CPU.
    """

    edge_index: torch.Tensor
    with_loops: torch.Tensor
    pairs: SortedPairs | None


def attention_graph(edge_index: torch.Tensor, items: int) -> AttentionGraph:
    """Sort the edges once for all layers and epochs.

    Args:
        edge_index: source and target of each edge, (2, edges).
        items: how many there are.

    Raises:
        ValueError: an edge from or to an item that is not there.
    """
    without, _ = remove_self_loops(edge_index)
    with_loops, _ = add_self_loops(without, num_nodes=items)
    if edge_index.device.type != "cpu":
        return AttentionGraph(edge_index, with_loops, None)
    source, target = with_loops.numpy()
    return AttentionGraph(edge_index, with_loops, sorted_pairs(target, source, (items, items)))


class AttentionLayer(GATConv):  # type: ignore[misc]
    """`GATConv` without biases, called as ``layer(vectors, graph)``.

    On another device than the CPU it is `GATConv`, which makes a message for each edge.
    """

    def __init__(self, width: int, out: int, *, heads: int, concat: bool, negative_slope: float) -> None:
        # Self loops are put in by `attention_graph`, once for all epochs.
        super().__init__(
            width, out, heads=heads, concat=concat, negative_slope=negative_slope, bias=False, add_self_loops=False
        )

    def forward(self, vectors: torch.Tensor, graph: AttentionGraph) -> torch.Tensor:
        """The layer's vectors, (items, heads * out) or the mean of the heads, (items, out).

        Args:
            vectors: (items, width).
        """
        if graph.pairs is None or vectors.dtype not in DTYPES:
            found: torch.Tensor = super().forward(vectors, graph.with_loops)
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
