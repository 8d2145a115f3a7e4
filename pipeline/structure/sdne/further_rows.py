"""Codes of nodes that SDNE was not trained on: a row of what they are joined to among those that it was, put through its encoder."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn

from pipeline.structure.sdne.activations import ACTIVATIONS
from pipeline.structure.sdne.network import neighbour_sums

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from scipy.sparse import csr_matrix


def codes_of(rows: csr_matrix, encoder: Mapping[str, NDArray[np.float32]], activation: str) -> NDArray[np.float32]:
    """The codes y of further nodes, (nodes, code).

    Args:
        rows: 0/1, (nodes, M), over the nodes of training. A node of training has the very row that it had.
        encoder: as `SDNE.encoder_arrays` gives it.
        activation: of every layer.
    """
    rows.sort_indices()
    function = ACTIVATIONS[activation]()
    layers = sorted({int(name.split(".")[1]) for name in encoder if name.startswith("layers.")})
    with torch.inference_mode():
        sums = neighbour_sums(torch.from_numpy(encoder["inputs"]), rows)
        codes: torch.Tensor = function(sums + torch.from_numpy(encoder["bias"]))
        for layer in layers:
            weight, bias = (torch.from_numpy(encoder[f"layers.{layer}.{part}"]) for part in ("weight", "bias"))
            codes = function(nn.functional.linear(codes, weight, bias))
    return codes.numpy()
