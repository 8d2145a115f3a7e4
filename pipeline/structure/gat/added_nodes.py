"""Structural vectors of nodes that the GAT was not trained on: they attend to those that it was, which do not attend to them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import torch

from pipeline.structure.gat.network import TwoLayerGat
from pipeline.structure.gat.settings import GatConfig

if TYPE_CHECKING:
    from numpy.typing import NDArray


def vectors_of_added(
    initial: NDArray[np.float32],
    edges: NDArray[np.int64],
    weights: Mapping[str, NDArray[np.float32]],
    config: GatConfig,
    added: int,
) -> NDArray[np.float32]:
    """P'' of nodes that were added, (added, width).

    Args:
        initial: P of all nodes, those added last, (nodes, width).
        edges: both directions of those of the graph, and those that lead to the added, (2, edges).
        weights: of the trained GAT.
        added: how many were added.
    """
    encoder = TwoLayerGat(initial.shape[1], config)
    encoder.load_state_dict({name: torch.from_numpy(value) for name, value in weights.items()})
    encoder.eval()
    with torch.inference_mode():
        vectors: torch.Tensor = encoder(torch.from_numpy(initial), torch.from_numpy(edges))
    return vectors[len(initial) - added :].numpy()
