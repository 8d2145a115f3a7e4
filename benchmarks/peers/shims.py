"""What RecBole 1.2.1 misses on current libraries. `install` comes before any import of recbole."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import torch


def install() -> None:
    """All of them; each says what asks for it."""
    _numpy_names()
    _tensorboard()
    _scatter_mean()
    _dgl()
    _dok_update()


def whole_graph_in_evaluation() -> None:
    """KGIN draws a random half of the edges even when it scores; here it does so in training only.

    The original implementation switches node dropout off to score, and random edges would make two runs over the same
    weights differ.
    """
    from recbole.model.knowledge_aware_recommender import kgin

    sampled = kgin.GraphConv.edge_sampling

    def edge_sampling(self: Any, edge_index: torch.Tensor, edge_type: torch.Tensor, rate: float = 0.5) -> Any:
        return sampled(self, edge_index, edge_type, rate) if self.training else (edge_index, edge_type)

    kgin.GraphConv.edge_sampling = edge_sampling


def _numpy_names() -> None:
    """`recbole.config` sets `np.float = np.float_` and the like; numpy 2 dropped the right-hand sides."""
    for name, value in {"float_": np.float64, "complex_": np.complex128, "unicode_": np.str_}.items():
        setattr(np, name, value)


def _tensorboard() -> None:
    """Every trainer opens a SummaryWriter. Nobody reads it here, and tensorboard is a large package."""

    class SummaryWriter:
        def __init__(self, *_: Any, **__: Any) -> None: ...

        def add_scalar(self, *_: Any, **__: Any) -> None: ...

    _module("torch.utils.tensorboard", SummaryWriter=SummaryWriter)


def _scatter_mean() -> None:
    """KGIN takes `scatter_mean` from torch_scatter, which has no wheels for current PyTorch; PyTorch has its own."""

    def scatter_mean(src: torch.Tensor, index: torch.Tensor, dim: int, dim_size: int) -> torch.Tensor:
        assert dim == 0
        rows = index.unsqueeze(1).expand_as(src)
        # include_self=False: the zeros of the target are no values of their own.
        return src.new_zeros(dim_size, src.shape[1]).scatter_reduce(0, rows, src, "mean", include_self=False)

    _module("torch_scatter", scatter_mean=scatter_mean)


def _dgl() -> None:
    """KGAT asks dgl (no releases for current PyTorch) for the adjacency matrix of the edges of one relation."""
    from scipy.sparse import coo_matrix

    class Graph:
        def __init__(self, source: torch.Tensor, target: torch.Tensor) -> None:
            self.source, self.target = source, target
            self.nodes = int(torch.cat([source, target]).max()) + 1
            self.edata: dict[str, torch.Tensor] = {}

        def filter_edges(self, holds: Callable[[Any], torch.Tensor]) -> torch.Tensor:
            return holds(SimpleNamespace(data=self.edata)).nonzero().flatten()

        def adjacency_matrix(self, transpose: bool, scipy_fmt: str) -> Any:
            assert not transpose
            assert scipy_fmt == "coo"
            ones = np.ones(len(self.source))
            return coo_matrix((ones, (self.source.numpy(), self.target.numpy())), shape=(self.nodes, self.nodes))

    def edge_subgraph(graph: Graph, edges: torch.Tensor, preserve_nodes: bool) -> Graph:
        assert preserve_nodes
        part = Graph.__new__(Graph)
        part.source, part.target, part.nodes, part.edata = graph.source[edges], graph.target[edges], graph.nodes, {}
        return part

    _module("dgl", graph=lambda ends: Graph(*ends), edge_subgraph=edge_subgraph)


def _dok_update() -> None:
    """LightGCN and KGIN fill a `dok_matrix` by a private method that scipy dropped."""
    from scipy.sparse import dok_matrix

    def update(self: Any, entries: dict[tuple[int, int], float]) -> None:
        for place, value in entries.items():
            self[place] = value

    dok_matrix._update = update


def _module(name: str, **content: Any) -> None:
    module = ModuleType(name)
    module.__dict__.update(content)
    sys.modules[name] = module
