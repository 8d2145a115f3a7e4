"""What training minimises: the click loss of the method (8), and the losses of the extended heads."""

from __future__ import annotations

import torch
from torch.nn.functional import softplus

from pipeline.users.histories import Histories

# Added to the scores of what must not count: finite, so that a row of nothing else gives no NaN.
NEVER = -1e9


def click_loss(scores: torch.Tensor, likes: Histories, negatives: torch.Tensor, counts: torch.Tensor) -> torch.Tensor:
    """-log( e^{click+} / (e^{click+} + sum_r e^{click-_r}) ), summed over the positives.

    With the sum over negatives as one number n = logsumexp_r(click-_r) it is softplus(n - click+).

    Args:
        scores: (users, M), each cell by the user without that item.
        likes: the positives.
        negatives: (positives, R) item indices.
        counts: (positives, R), False where there is no such negative; a positive without any adds nothing.
    """
    against = scores[likes.user.unsqueeze(1), negatives].masked_fill(~counts, NEVER).logsumexp(dim=1)
    return softplus(against - scores[likes.user, likes.items]).sum()


def loss_over_catalogue(
    scores: torch.Tensor, targets: Histories, positive: torch.Tensor, log_weights: torch.Tensor | None = None
) -> torch.Tensor:
    """The same loss with the whole catalogue as negatives, less the user's other positives.

    Args:
        scores: (users, M).
        targets: the positives that count.
        positive: (users, M), True at every positive of the user.
        log_weights: of each item as a negative, (M,): log of how many items it stands for, where M is a sample.
    """
    negatives = scores if log_weights is None else scores + log_weights
    against = negatives.masked_fill(positive, NEVER).logsumexp(dim=1)
    return softplus(against[targets.user] - scores[targets.user, targets.items]).sum()


def judge_loss(
    scores: torch.Tensor,
    likes: Histories,
    dislikes: Histories,
    leniency: tuple[torch.Tensor, torch.Tensor] | None,
) -> torch.Tensor:
    """Binary cross-entropy of P(like | rated) = sigmoid(score + leniency), summed over what was rated.

    Args:
        scores: (users, M).
        likes: targets rated as likes, dislikes likewise.
        leniency: of the users without one like, for `likes`, and without one dislike, for `dislikes`; each (users,).
    """
    total = scores.new_zeros(())
    for place, (targets, sign) in enumerate(((likes, -1.0), (dislikes, 1.0))):
        logits = scores[targets.user, targets.items]
        if leniency is not None:
            logits = logits + leniency[place][targets.user]
        total = total + softplus(sign * logits).sum()
    return total


def drawn_judge_loss(
    scores: torch.Tensor, likes: Histories, liked: torch.Tensor, log_weights: torch.Tensor | None = None
) -> torch.Tensor:
    """`judge_loss` where nothing is disliked: each like against one item drawn evenly from all that the user does not like, summed.

    The expectation over the draw is taken, in place of a draw.

    Args:
        scores: (users, M).
        likes: targets.
        liked: (users, M), True at every like of the user.
        log_weights: as of `loss_over_catalogue`.
    """
    weights = torch.ones_like(scores[0]) if log_weights is None else log_weights.exp()
    each = weights * ~liked
    against = (each * softplus(scores)).sum(dim=1) / each.sum(dim=1).clamp(min=1e-12)
    return (softplus(-scores[likes.user, likes.items]) + against[likes.user]).sum()
