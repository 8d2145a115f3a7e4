"""Negatives for each positive: what the user disliked, what the user never met, or a mix."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Negatives(NamedTuple):
    """
    Attributes:
        items: (positives, R).
        counts: False where a user has no item of the wanted kind.
    """

    items: torch.Tensor
    counts: torch.Tensor


def have_negatives(
    kind: str,
    number: int,
    disliked_share: float,
    likes: NDArray[np.integer],
    dislikes: NDArray[np.integer],
    items: int,
) -> NDArray[np.bool_]:
    """For which users `sample_negatives` finds any, (users,).

    Args:
        likes: how many each user has in training, (users,); dislikes likewise.
        items: of the catalogue.
    """
    of_dislikes = (dislikes > 0) & bool(_from_dislikes(kind, number, disliked_share))
    return of_dislikes | ((likes + dislikes < items) & (kind != "disliked"))


def sample_negatives(
    kind: str,
    number: int,
    disliked_share: float,
    liked: torch.Tensor,
    disliked: torch.Tensor,
    user: torch.Tensor,
    generator: torch.Generator,
    before: int = 0,
    of: int | None = None,
) -> Negatives:
    """Draw negatives uniformly, with replacement.

    Args:
        kind: `disliked`, `unseen` or `mixed`.
        number: R, negatives for each positive.
        disliked_share: of `mixed`, the fraction from dislikes. Users without dislikes get unseen items in their place.
        liked: (users, M), True at every training like; disliked likewise.
        user: (positives,), the user of each positive, ascending.
        before: positives that stand before these among all, for which other processes draw.
        of: how many all are; these alone if not given. As much is drawn for them, so that each has its own draw whoever draws it.
    """
    from_dislikes = _from_dislikes(kind, number, disliked_share)
    unseen = ~(liked | disliked)

    def draw(allowed: torch.Tensor, number: int) -> torch.Tensor:
        size = (len(user) if of is None else of, number)
        random = torch.rand(size, generator=generator, device=allowed.device, dtype=torch.float64)
        return _drawn(allowed, user, random[before : before + len(user)])

    parts = []
    if from_dislikes:
        allowed = torch.where(disliked.any(dim=1, keepdim=True), disliked, unseen) if kind == "mixed" else disliked
        parts.append(draw(allowed, from_dislikes))
    if from_dislikes < number:
        parts.append(draw(unseen, number - from_dislikes))
    drawn = torch.cat(parts, dim=1)
    return Negatives(drawn.clamp(min=0), drawn >= 0)


def _from_dislikes(kind: str, number: int, disliked_share: float) -> int:
    return {"disliked": number, "unseen": 0, "mixed": round(number * disliked_share)}[kind]


def _drawn(allowed: torch.Tensor, user: torch.Tensor, random: torch.Tensor) -> torch.Tensor:
    """(positives, number) indices of items that are allowed for the positive's user; -1 for users who have none.

    Args:
        random: from 0 up to 1, (positives, number).
    """
    # Allowed items of all users in one list; a draw is a place in the user's stretch of it.
    item = allowed.nonzero()[:, 1]
    sizes = allowed.sum(dim=1)
    starts = sizes.cumsum(0) - sizes
    place = (random * sizes[user].unsqueeze(1)).long()
    none = (sizes[user] == 0).unsqueeze(1).expand_as(place)
    if not len(item):
        return torch.full_like(place, -1)
    chosen = item[(starts[user].unsqueeze(1) + place).clamp(max=len(item) - 1)]
    return chosen.masked_fill(none, -1)
