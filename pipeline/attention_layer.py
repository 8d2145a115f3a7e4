"""The graph attention layer of PyTorch Geometric, with its parameters and their names, computed by `pipeline.attention_sum`."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from math import sqrt
from typing import Any

import numpy as np
import torch
from torch import nn

from pipeline.attention_sum import DTYPES, attention_sum
from pipeline.sorted_pairs import SortedPairs, sorted_pairs


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


def attention_graph(edge_index: torch.Tensor, sources: int, targets: int | None = None) -> AttentionGraph:
    """Sort the edges once for all layers and epochs.

    Args:
        edge_index: source and target of each edge, (2, edges).
        sources: how many items are read.
        targets: how many of those, the first ones, are computed; all if not given.

    Raises:
        ValueError: an edge from or to an item that is not there.
    """
    if edge_index.device.type != "cpu":
        return AttentionGraph(edge_index, None)
    targets = sources if targets is None else targets
    source, target = edge_index.numpy()
    others = source != target
    itself = np.arange(targets)
    pairs = sorted_pairs(np.r_[target[others], itself], np.r_[source[others], itself], (targets, sources))
    return AttentionGraph(edge_index, pairs)


class AttentionLayer(nn.Module):
    """`GATConv` without biases, called as ``layer(vectors, graph)``; vectors of sources and of targets for a graph with fewer targets.

    On another device than the CPU it is `GATConv`, which makes a message for each edge, and which is loaded for that alone.
    """

    def __init__(self, width: int, out: int, *, heads: int, concat: bool, negative_slope: float) -> None:
        super().__init__()
        self.heads, self.out_channels = heads, out
        self.concat, self.negative_slope = concat, negative_slope
        self.lin = nn.Linear(width, heads * out, bias=False)
        self.att_src = nn.Parameter(torch.empty(1, heads, out))
        self.att_dst = nn.Parameter(torch.empty(1, heads, out))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the weights anew, uniformly, as Glorot and Bengio do (AISTATS 2010)."""
        with torch.no_grad():
            for weights in (self.lin.weight, self.att_src, self.att_dst):
                bound = sqrt(6.0 / (weights.shape[-2] + weights.shape[-1]))
                weights.uniform_(-bound, bound)

    def forward(self, x: Any, graph: AttentionGraph) -> torch.Tensor:
        """The layer's vectors, (targets, heads * out) or the mean of the heads, (targets, out).

        Args:
            x: (sources, width), or two: of the sources, and of the targets.
        """
        vectors, targets = (x, x) if isinstance(x, torch.Tensor) else x
        if graph.pairs is None or vectors.dtype not in DTYPES:
            settings = (self.lin.in_features, self.out_channels, self.heads, self.concat, self.negative_slope)
            weights: dict[str, torch.Tensor] = dict(self.named_parameters())
            found: torch.Tensor = torch.func.functional_call(
                _message_passing(*settings), weights, (x, graph.edge_index)
            )
            return found
        # a . (W p) = (W^T a) . p: the logits need no pass over W p.
        weight = self.lin.weight.view(self.heads, self.out_channels, -1)
        of_sources, of_targets = (
            torch.einsum("hci,hc->ih", weight, attention[0]) for attention in (self.att_src, self.att_dst)
        )
        return attention_sum(
            self.lin(vectors),
            vectors @ of_sources,
            targets @ of_targets,
            graph.pairs,
            self.negative_slope,
            concat=self.concat,
        )


@cache
def _message_passing(width: int, out: int, heads: int, concat: bool, negative_slope: float) -> nn.Module:
    """The layer without weights of its own: making it draws none."""
    from torch_geometric.nn import GATConv

    with torch.device("meta"):
        layer: nn.Module = GATConv(width, out, heads=heads, concat=concat, negative_slope=negative_slope, bias=False)
    return layer
