"""The two layers of graph attention (method 4; Veličković et al., ICLR 2018).

alpha_ij = softmax_j( LeakyReLU( a^T [W p_i || W p_j] ) ),  j over the neighbours of i and i itself
layer 1, K heads concatenated:  p'_i  = ||_k ELU( sum_j alpha_ij^k W^k p_j )
layer 2, K heads averaged:      p''_i = ELU( 1/K sum_k sum_j alpha_ij^k W^k p'_j )
"""

from __future__ import annotations

import torch
from torch.nn.functional import dropout, elu

from pipeline.structure.gat.layer import AttentionGraph, AttentionLayer, attention_graph
from pipeline.structure.gat.settings import GatConfig


class TwoLayerGat(torch.nn.Module):
    """The encoder, called as ``encoder(vectors, edge_index)``: P, (M, input_width), to P'', (M, output_width).

    No biases, as the equations have none; an isolated item attends to itself by its self loop. Edges are sorted once for as long
    as the same tensor of them is given, whose content must not change.

    Args:
        input_width: d_k, of the vectors that are read.
    """

    def __init__(self, input_width: int, config: GatConfig) -> None:
        super().__init__()
        self.dropout = config.dropout
        self.first = AttentionLayer(
            input_width, config.hidden_width, heads=config.heads, concat=True, negative_slope=config.negative_slope
        )
        self.second = AttentionLayer(
            config.heads * config.hidden_width,
            config.output_width,
            heads=config.heads,
            concat=False,
            negative_slope=config.negative_slope,
        )
        self.graph: AttentionGraph | None = None

    def forward(self, vectors: torch.Tensor, edge_index: torch.Tensor) -> torch.Tensor:
        if self.graph is None or self.graph.edge_index is not edge_index:
            self.graph = attention_graph(edge_index, len(vectors))
        for layer in (self.first, self.second):
            vectors = elu(layer(dropout(vectors, self.dropout, self.training), self.graph))
        return vectors
