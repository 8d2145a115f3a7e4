"""Candidate-aware attention: each candidate looks at the history with weights of its own.

    u(c) = n^gamma · sum_j softmax_j( (r_c W^Q)(r_j W^K)^T / sqrt(d_head) ) W^V r_j,  over the items j of the history

The weight of j depends on c and j alone but for the sum it is divided by, so with the items x items matrices
A = exp(logits) and S = (R W^O)(R W^V)^T all users are scored by two products with the sparse histories H:

    score = n^gamma · (H (A o S)^T) / (H A^T)

and an item is left out of its own history by a zero on the diagonal of A: leave-one-out is exact and costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch.nn.functional import embedding

from pipeline.common.errors import InputError
from pipeline.common.precision import widened
from pipeline.data.dataset import blocks
from pipeline.users.histories import add_up
from pipeline.users.views.folded import FoldedView, padded
from pipeline.users.views.view import AttentionView, sizes

if TYPE_CHECKING:
    from pipeline.users.histories import Chunk, Histories

# Items squared are held at once, several times over while it is trained.
MAX_ITEMS = 12_000
# Candidates whose highest logits are looked for at once.
CANDIDATES_AT_ONCE = 256
# Logits this far below a candidate's highest weigh nothing beside it in float32; the floor keeps their sum above zero for
# histories that hold nothing else, and the square of it, which the gradient divides by, as well.
# Such a history is looked at evenly.
FLOOR = -40.0


class CandidateAttention(AttentionView):
    """Scores of all items at once; their weights are items x items."""

    why_no_vectors = (
        "attention candidate weighs a history anew for each item, "
        "so that a user has no vector that is the same for all of them"
    )

    @classmethod
    def check(cls, width: int, attention_heads: int, items: int) -> None:
        super().check(width, attention_heads, items)
        if items > MAX_ITEMS:
            raise InputError(
                f"attention: found candidate with {items} items, expected at most {MAX_ITEMS}; use self or none"
            )

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
            logits = widened(queries[head] @ keys[head].T) * queries[head].shape[1] ** -0.5
            weights = (logits - logits.max(dim=1, keepdim=True).values.detach()).clamp(min=FLOOR).exp()
            if leave_one_out:
                weights = weights * others
            # A row of `weights` that is all zeros can only be that of an item alone in the catalogue.
            share = length / add_up(history, weights.T).clamp(min=1e-30)
            for name in self.output:
                seen = torch.split(self.towards(candidates, name), values[head].shape[1], dim=1)[head]
                total = add_up(history, (weights * widened(seen @ values[head].T)).T) * share
                found[name] = found[name] + total if name in found else total
        return found

    def fold(self, items: torch.Tensor, towards: torch.Tensor) -> SharedByCandidate:
        return SharedByCandidate(self, items, towards)


class SharedByCandidate(FoldedView):
    """Each candidate weighs a history in its own way; arguments as of `View.fold`."""

    def __init__(self, view: CandidateAttention, items: torch.Tensor, towards: torch.Tensor) -> None:
        self._view, self._items, self._towards = view, items, towards
        self._query, self._key, self._value = items @ view.query, items @ view.key, items @ view.value
        # The floor lies below the highest logit of the catalogue, not of the history.
        key = self._by_head(self._key.unsqueeze(0))
        highest = [
            self._logits(self._by_head(self._query[block].unsqueeze(0)), key).amax(dim=3)
            for block in blocks(len(items), CANDIDATES_AT_ONCE)
        ]
        self._highest = torch.cat(highest, dim=2)[0].T

    def shares(self, history: Histories) -> torch.Tensor:
        """What the history of each entry counts, (entries, 1); the entries' own shares differ from candidate to candidate."""
        return self._view.counted(sizes(history).to(self._items.dtype))[history.user].unsqueeze(1)

    def contributions(self, chunk: Chunk, candidates: torch.Tensor, shares: torch.Tensor) -> torch.Tensor:
        asking, asked = (
            self._by_head(embedding(items, of)) for items, of in ((candidates, self._query), (chunk.items, self._key))
        )
        highest = embedding(candidates, self._highest).transpose(1, 2).unsqueeze(3)
        weights = (self._logits(asking, asked) - highest).clamp(min=FLOOR).exp()
        weights = weights * chunk.present[:, None, None]
        seen = self._by_head(embedding(candidates, self._items) @ self._towards)
        told = seen @ self._by_head(embedding(chunk.items, self._value)).transpose(2, 3)
        counted = padded(shares, chunk).transpose(1, 2)
        return (weights / weights.sum(dim=3, keepdim=True).clamp(min=1e-30) * told).sum(dim=1) * counted

    def _by_head(self, vectors: torch.Tensor) -> torch.Tensor:
        """(sets, heads, length, width per head) of (sets, length, width)."""
        return vectors.view(*vectors.shape[:2], self._view.heads, -1).transpose(1, 2)

    def _logits(self, query: torch.Tensor, key: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = query @ key.transpose(2, 3) * query.shape[3] ** -0.5
        return logits
