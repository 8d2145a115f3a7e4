"""Negatives for each positive: what the user disliked, what the user never met, or a mix."""

from __future__ import annotations

from typing import NamedTuple

import torch


class Negatives(NamedTuple):
    """
    Attributes:
        items: (positives, R).
        counts: False where a user has no item of the wanted kind.
    """

    items: torch.Tensor
    counts: torch.Tensor


def sample_negatives(
    kind: str,
    liked: torch.Tensor,
    disliked: torch.Tensor,
    user: torch.Tensor,
    number: int,
    disliked_share: float,
    generator: torch.Generator,
) -> Negatives:
    """Draw negatives uniformly, with replacement.

    Args:
        kind: `disliked`, `unseen` or `mixed`.
        liked: (users, M), True at every training like; disliked likewise.
        user: (positives,), the user of each positive, ascending.
        number: R, negatives for each positive.
        disliked_share: of `mixed`, the fraction from dislikes. Users without dislikes get unseen items in their place.
    """
    from_dislikes = {"disliked": number, "unseen": 0, "mixed": round(number * disliked_share)}[kind]
    unseen = ~(liked | disliked)
    parts = []
    if from_dislikes:
        allowed = torch.where(disliked.any(dim=1, keepdim=True), disliked, unseen) if kind == "mixed" else disliked
        parts.append(_draw(allowed, user, from_dislikes, generator))
    if from_dislikes < number:
        parts.append(_draw(unseen, user, number - from_dislikes, generator))
    drawn = torch.cat(parts, dim=1)
    return Negatives(drawn.clamp(min=0), drawn >= 0)


def _draw(allowed: torch.Tensor, user: torch.Tensor, number: int, generator: torch.Generator) -> torch.Tensor:
    """(positives, number) indices of items that are allowed for the positive's user; -1 for users who have none."""
    # Allowed items of all users in one list; a draw is a place in the user's stretch of it.
    item = allowed.nonzero()[:, 1]
    sizes = allowed.sum(dim=1)
    starts = sizes.cumsum(0) - sizes
    random = torch.rand((len(user), number), generator=generator, device=allowed.device, dtype=torch.float64)
    place = (random * sizes[user].unsqueeze(1)).long()
    none = (sizes[user] == 0).unsqueeze(1).expand_as(place)
    if not len(item):
        return torch.full_like(place, -1)
    chosen = item[(starts[user].unsqueeze(1) + place).clamp(max=len(item) - 1)]
    return chosen.masked_fill(none, -1)
