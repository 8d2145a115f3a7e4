"""Candidate-aware attention: each candidate looks at the history with weights of its own.

    u(c) = n^gamma · sum_j softmax_j( (r_c W^Q)(r_j W^K)^T / sqrt(d_head) ) W^V r_j,  over the items j of the history

The weight of j depends on c and j alone but for the sum it is divided by, so with the items x items matrices
A = exp(logits) and S = (R W^O)(R W^V)^T all users are scored by two products with the sparse histories H:

    score = n^gamma · (H (A o S)^T) / (H A^T)

and an item is left out of its own history by a zero on the diagonal of A: leave-one-out is exact and costs nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import nn

from pipeline.users.histories import add_up
from pipeline.users.views.view import View, sizes

if TYPE_CHECKING:
    from pipeline.users.histories import Histories

# Logits this far below a candidate's highest weigh nothing beside it in float32; the floor keeps their sum above zero for
# histories that hold nothing else, and the square of it, which the gradient divides by, as well.
# Such a history is looked at evenly.
FLOOR = -40.0


class CandidateAttention(View):
    """
    Args:
        attention_heads: must divide the width.
    """

    def __init__(
        self, width: int, attention_heads: int, outputs: Sequence[str], exponent: float, learn_exponent: bool
    ) -> None:
        super().__init__(width, outputs, exponent, learn_exponent)
        self.heads = attention_heads
        self.query = nn.Parameter(torch.randn(width, width) * width**-0.5)
        self.key = nn.Parameter(torch.randn(width, width) * width**-0.5)

    def scores(
        self, candidates: torch.Tensor, in_history: torch.Tensor, history: Histories, *, leave_one_out: bool = False
    ) -> dict[str, torch.Tensor]:
        count = sizes(history).to(candidates.dtype)
        size = count.unsqueeze(1)
        if leave_one_out:
            inside = torch.zeros(len(count), len(candidates), dtype=candidates.dtype, device=candidates.device)
            size = size - inside.index_put((history.user, history.items), torch.ones_like(candidates[0, 0]))
        length = self.counted(size)
        queries, keys, values = (
            torch.split(part, candidates.shape[1] // self.heads, dim=1)
            for part in (candidates @ self.query, in_history @ self.key, in_history @ self.value)
        )
        others = 1 - torch.eye(len(candidates), dtype=candidates.dtype, device=candidates.device)
        found: dict[str, torch.Tensor] = {}
        for head in range(self.heads):
            logits = queries[head] @ keys[head].T * queries[head].shape[1] ** -0.5
            weights = (logits - logits.max(dim=1, keepdim=True).values.detach()).clamp(min=FLOOR).exp()
            if leave_one_out:
                weights = weights * others
            # A row of `weights` that is all zeros can only be that of an item alone in the catalogue.
            share = length / add_up(history, weights.T).clamp(min=1e-30)
            for name in self.output:
                seen = torch.split(self.towards(candidates, name), values[head].shape[1], dim=1)[head]
                total = add_up(history, (weights * (seen @ values[head].T)).T) * share
                found[name] = found[name] + total if name in found else total
        return found
