"""What each item of a history adds to a candidate's score, for many users at once; `pipeline.explain.reasons` does so for one of them.

Users with histories of similar length are padded to one length, so that what is said of a chunk of users is a few products. What an
item of a history counts in its view (`shares`) is worked out once, for users' vectors and for the reasons.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, NamedTuple, cast

import torch
from torch.nn.functional import embedding

from pipeline.data.dataset import blocks
from pipeline.users.coordinates import item_bias
from pipeline.users.histories import Histories, merged
from pipeline.users.shares import co_rating_share, head_shares, view_shares
from pipeline.users.views.candidate_attention import FLOOR, CandidateAttention
from pipeline.users.views.plain_sum import PlainSum
from pipeline.users.views.view import sizes

if TYPE_CHECKING:
    from pipeline.users.histories import Chunk
    from pipeline.users.trained import TrainedModel
    from pipeline.users.views.self_attention import SelfAttention
    from pipeline.users.views.view import View

# Numbers in the vectors of a chunk of histories.
NUMBERS = 2_000_000
# Candidates whose highest logits are looked for at once.
CANDIDATES_AT_ONCE = 256


class Weighed(NamedTuple):
    """Histories of some users and what each of their entries counts.

    Attributes:
        likes, dislikes: of the users.
        by_view: the history that a view reads, and the shares of its entries, (entries, heads).
    """

    likes: Histories
    dislikes: Histories
    by_view: dict[str, tuple[Histories, torch.Tensor]]


class ViewsOfMany:
    """The views of a model, its heads put together once as `preference` counts them."""

    def __init__(self, model: TrainedModel) -> None:
        self.model = model
        with torch.inference_mode():
            self.bias = item_bias(model, head_shares(model))
            self._views = {name: _pulling(model, name) for name in model.scorer.views}

    def weighed(self, likes: Histories, dislikes: Histories) -> Weighed:
        by_view = {}
        for name, view in self._views.items():
            history = {"likes": likes, "dislikes": dislikes}[name] if name != "rated" else merged(likes, dislikes)
            by_view[name] = history, view.shares(history)
        return Weighed(likes, dislikes, by_view)

    def users(self, weighed: Weighed) -> torch.Tensor | None:
        """The u' whose u' · r_c + b_c is `preference` but for EASE's weights, (users, width); None where each candidate has its own."""
        total = self.model.items.new_zeros(len(weighed.likes.lengths), self.model.items.shape[1])
        for name, of_view in weighed.by_view.items():
            view = self._views[name]
            if isinstance(view, _PullingByCandidate):
                return None
            total += view.users(*of_view)
        return total

    def pulls(
        self, weighed: Weighed, name: str, candidates: torch.Tensor, numbers: int
    ) -> Iterator[tuple[Chunk, torch.Tensor]]:
        """What each item of the history adds to each candidate's score by one view.

        Args:
            candidates: item indices for each user, (users, candidates).
            numbers: in each array of a chunk: vectors of its histories, or pulls.

        Yields:
            Users with histories of similar length, and their pulls, (chunk, candidates, length), zero at padding.
        """
        (history, shares), together = weighed.by_view[name], self.model.co_rating
        for chunk in history.chunks(numbers, max(self.model.items.shape[1], candidates.shape[1])):
            asked = candidates[chunk.users]
            pulls = self._views[name].pulls(chunk, asked, shares)
            if together is not None:
                pairs = chunk.items.unsqueeze(1) * len(self.model.items) + asked.unsqueeze(2)
                weights = together[name].take(pairs) * chunk.present.unsqueeze(1)
                pulls = pulls.add_(weights, alpha=co_rating_share(self.model, name))
            yield chunk, pulls


def _pulling(model: TrainedModel, name: str) -> _Pulling | _PullingByCandidate:
    view = cast("View", model.scorer.views[name])
    unit = torch.eye(model.items.shape[1], dtype=model.items.dtype, device=model.device)
    # Heads differ in W^O alone: by their shares they are one.
    towards = torch.zeros_like(unit)
    for head, share in view_shares(model, name).items():
        towards = towards + view.towards(unit, head) * share
    if isinstance(view, CandidateAttention):
        return _PullingByCandidate(view, model.items, towards)
    return _Pulling(cast("PlainSum | SelfAttention", view), model.items, towards)


class _Pulling:
    """A view that weighs a history in one way, whatever the candidate.

    Args:
        items: R, (M, width).
        towards: sum of share · W^O^T, (width, width).
    """

    def __init__(self, view: PlainSum | SelfAttention, items: torch.Tensor, towards: torch.Tensor) -> None:
        self._items = items
        if isinstance(view, PlainSum):
            # Nothing comes between W^V and W^O: the items are what their candidates are multiplied with.
            self._values, self._towards = items, towards @ view.value.T
            self._shares: Callable[[Histories], torch.Tensor] = view.shares
        else:
            projected = view.project(items)
            self._values, self._towards = projected.value.flatten(1), towards
            self._shares = partial(view.shares, projected)

    def shares(self, history: Histories) -> torch.Tensor:
        """What each entry counts, by attention head, (entries, heads)."""
        return self._shares(history)

    def pulls(self, chunk: Chunk, candidates: torch.Tensor, shares: torch.Tensor) -> torch.Tensor:
        """
        Args:
            candidates: items of each user of the chunk, (chunk, candidates).
            shares: of all entries, by `shares`.

        Returns:
            (chunk, candidates, length), zero at padding.
        """
        seen, values = embedding(candidates, self._items) @ self._towards, embedding(chunk.items, self._values)
        weights = _padded(shares, chunk)
        if shares.shape[1] == 1:
            return torch.bmm(seen, values.transpose(1, 2)).mul_(weights.transpose(1, 2))
        by_head = values.view(*weights.shape, -1).mul_(weights.unsqueeze(3))
        return torch.bmm(seen, by_head.flatten(2).transpose(1, 2))

    def users(self, history: Histories, shares: torch.Tensor) -> torch.Tensor:
        """What is multiplied with a candidate, whichever it is, (users, width)."""
        total = self._values.new_zeros(len(history.lengths), self._values.shape[1])
        for chunk in history.chunks(NUMBERS, total.shape[1]):
            values, weights = embedding(chunk.items, self._values), _padded(shares, chunk)
            by_head = values.view(*weights.shape, -1).transpose(1, 2)
            total[chunk.users] = (weights.transpose(1, 2).unsqueeze(2) @ by_head).flatten(1)
        return total @ self._towards.T


class _PullingByCandidate:
    """A view in which each candidate weighs a history in its own way; arguments as of `_Pulling`."""

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
        """As `_Pulling.pulls`."""
        asking, asked = (
            self._by_head(embedding(items, of)) for items, of in ((candidates, self._query), (chunk.items, self._key))
        )
        highest = embedding(candidates, self._highest).transpose(1, 2).unsqueeze(3)
        weights = (self._logits(asking, asked) - highest).clamp(min=FLOOR).exp()
        weights = weights * chunk.present[:, None, None]
        seen = self._by_head(embedding(candidates, self._items) @ self._towards)
        told = seen @ self._by_head(embedding(chunk.items, self._value)).transpose(2, 3)
        counted = _padded(shares, chunk).transpose(1, 2)
        return (weights / weights.sum(dim=3, keepdim=True).clamp(min=1e-30) * told).sum(dim=1) * counted

    def _by_head(self, vectors: torch.Tensor) -> torch.Tensor:
        """(sets, heads, length, width per head) of (sets, length, width)."""
        return vectors.view(*vectors.shape[:2], self._view.heads, -1).transpose(1, 2)

    def _logits(self, query: torch.Tensor, key: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = query @ key.transpose(2, 3) * query.shape[3] ** -0.5
        return logits


def _padded(shares: torch.Tensor, chunk: Chunk) -> torch.Tensor:
    """(chunk, length, heads)."""
    padded = shares.new_zeros(*chunk.items.shape, shares.shape[1])
    padded[chunk.present] = shares[chunk.entries]
    return padded
