"""One vector out of the vectors of an item's modalities (method 5).

Method:    concat: r = s || p''     average: r = (s + p'') / 2
Extended:  linear: r = sum_m W_m x_m, a concatenation and a linear layer
           gated:  r = sum_m g_m W_m x_m, with M gates g = M softmax_m(a_m^T W_m x_m), so that equal gates are the linear fusion
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from pipeline.users.names import Fusion


def fuse(parts: Sequence[torch.Tensor], fusion: Fusion, gates: torch.Tensor | None = None) -> torch.Tensor:
    """R out of the modalities' parts.

    Args:
        parts: s, p'', ..., each (M, width); of equal widths unless `concat`.
        gates: a, (modalities, width), for `gated`.
    """
    if fusion == "concat":
        return torch.cat(list(parts), dim=1)
    stacked = torch.stack(list(parts))
    if fusion == "average":
        return stacked.mean(dim=0)
    if fusion == "gated":
        assert gates is not None
        shares = torch.einsum("mid,md->mi", stacked, gates).softmax(dim=0)
        return (len(parts) * shares.unsqueeze(-1) * stacked).sum(dim=0)
    return stacked.sum(dim=0)
