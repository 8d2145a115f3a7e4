"""What each item of a history adds to a candidate's score by one view, for many users at once: see `pipeline.reasons`."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import torch
from torch.nn.functional import embedding

from pipeline.dataset import blocks
from pipeline.reasons import view_shares
from pipeline.views.candidate_attention import FLOOR, CandidateAttention
from pipeline.views.plain_sum import PlainSum
from pipeline.views.view import sizes

if TYPE_CHECKING:
    from pipeline.histories import Chunk, Histories
    from pipeline.model import TrainedModel
    from pipeline.views.self_attention import SelfAttention
    from pipeline.views.view import View

# Candidates whose highest logits are looked for at once.
CANDIDATES_AT_ONCE = 256


def pulling(model: TrainedModel, name: str) -> Pulling | PullingByCandidate:
    """One view of a model, whose heads count as `preference` counts them."""
    view = cast("View", model.scorer.views[name])
    unit = torch.eye(model.items.shape[1], dtype=model.items.dtype, device=model.device)
    # Heads differ in W^O alone: by their shares they are one.
    towards = torch.zeros_like(unit)
    for head, share in view_shares(model, name).items():
        towards = towards + view.towards(unit, head) * share
    if isinstance(view, CandidateAttention):
        return PullingByCandidate(view, model.items, towards)
    return Pulling(cast("PlainSum | SelfAttention", view), model.items, towards)


class Pulling:
    """A view that weighs a history in one way, whatever the candidate.

    Args:
        items: R, (M, width).
        towards: sum of share · W^O^T, (width, width).
    """

    def __init__(self, view: PlainSum | SelfAttention, items: torch.Tensor, towards: torch.Tensor) -> None:
        self._view, self._items = view, items
        if isinstance(view, PlainSum):
            # Nothing comes between W^V and W^O: the items are what their candidates are multiplied with.
            self._values, self._towards = items, towards @ view.value.T
        else:
            self._values, self._towards = items @ view.value, towards

    def shares(self, history: Histories) -> torch.Tensor:
        """What each entry counts, by attention head, (entries, heads)."""
        return self._view.shares(self._items, history)

    def pulls(self, chunk: Chunk, candidates: torch.Tensor, shares: torch.Tensor) -> torch.Tensor:
        """
        Args:
            candidates: items of each user of the chunk, (chunk, candidates).
            shares: of all entries, by `shares`.

        Returns:
            (chunk, candidates, length), zero at padding.
        """
        seen, values = embedding(candidates, self._items) @ self._towards, embedding(chunk.items, self._values)
        weights = shares.new_zeros(*chunk.items.shape, shares.shape[1])
        weights[chunk.present] = shares[chunk.entries]
        if shares.shape[1] == 1:
            return torch.bmm(seen, values.transpose(1, 2)).mul_(weights.transpose(1, 2))
        by_head = values.view(*weights.shape, -1).mul_(weights.unsqueeze(3))
        return torch.bmm(seen, by_head.flatten(2).transpose(1, 2))


class PullingByCandidate:
    """A view in which each candidate weighs a history in its own way; arguments as of `Pulling`."""

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

    def pulls(self, chunk: Chunk, candidates: torch.Tensor, shares: torch.Tensor) -> torch.Tensor:
        """As `Pulling.pulls`."""
        asking, asked = (
            self._by_head(embedding(items, of)) for items, of in ((candidates, self._query), (chunk.items, self._key))
        )
        highest = embedding(candidates, self._highest).transpose(1, 2).unsqueeze(3)
        weights = (self._logits(asking, asked) - highest).clamp(min=FLOOR).exp()
        weights = weights * chunk.present[:, None, None]
        seen = self._by_head(embedding(candidates, self._items) @ self._towards)
        told = seen @ self._by_head(embedding(chunk.items, self._value)).transpose(2, 3)
        counted = shares.new_zeros(chunk.items.shape)
        counted[chunk.present] = shares[chunk.entries, 0]
        return (weights / weights.sum(dim=3, keepdim=True).clamp(min=1e-30) * told).sum(dim=1) * counted.unsqueeze(1)

    def _by_head(self, vectors: torch.Tensor) -> torch.Tensor:
        """(sets, heads, length, width per head) of (sets, length, width)."""
        return vectors.view(*vectors.shape[:2], self._view.heads, -1).transpose(1, 2)

    def _logits(self, query: torch.Tensor, key: torch.Tensor) -> torch.Tensor:
        return query @ key.transpose(2, 3) * query.shape[3] ** -0.5
