"""The click score from both views (method 7), and the loss over sampled or all negatives (method 8)."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.functional import dropout, softplus

from pipeline.histories import Histories
from pipeline.users import MASKED, Pooled, View


class TwoViewClick(nn.Module):
    """click(u, c) = w1 r_c^T u+ + w2 r_c^T u-

    The views have weights of their own. The score is divided by sqrt(width), which w1 and w2 could do as well: it lets
    them start at 1.

    Args:
        width: d, of the item vectors.
        heads: attention heads of each view.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.likes = View(width, heads)
        self.dislikes = View(width, heads)
        self.weights = nn.Parameter(torch.ones(2))
        self.scale = width**-0.5

    def forward(
        self,
        items: torch.Tensor,
        likes: Histories,
        dislikes: Histories,
        *,
        leave_one_out: bool = False,
        drop: float = 0.0,
    ) -> torch.Tensor:
        """Scores of every item for some users.

        Args:
            items: R, (M, width).
            likes: histories of the users.
            dislikes: likewise.
            leave_one_out: score each item of a history by the user without that item, in the view it sits in. Other
                items are in no history, so there is nothing to leave out.
            drop: dropout rate on the item vectors, drawn apart for their role as candidates and in histories.

        Returns:
            (users, M).
        """
        candidates, in_history = dropout(items, drop, drop > 0), dropout(items, drop, drop > 0)
        total: torch.Tensor | None = None
        corrections = []
        for view, history, weight in ((self.likes, likes, self.weights[0]), (self.dislikes, dislikes, self.weights[1])):
            pooled: Pooled = view(view.project(in_history), history, leave_one_out=leave_one_out)
            seen = view.towards(candidates) * (weight * self.scale)
            scores = pooled.whole @ seen.T
            total = scores if total is None else total + scores
            if pooled.without is not None:
                change = pooled.without - pooled.whole[history.user]
                corrections.append((history, (change * seen[history.items]).sum(dim=-1)))
        assert total is not None
        for history, change in corrections:
            total = total.index_put((history.user, history.items), change, accumulate=True)
        return total


def click_loss(scores: torch.Tensor, likes: Histories, negatives: torch.Tensor, counts: torch.Tensor) -> torch.Tensor:
    """-log( e^{click+} / (e^{click+} + sum_r e^{click-_r}) ), summed over the positives.

    With the sum over negatives as one number n = logsumexp_r(click-_r) it is softplus(n - click+).

    Args:
        scores: (users, M), each cell by the user without that item.
        likes: the positives.
        negatives: (positives, R) item indices.
        counts: (positives, R), False where there is no such negative; a positive without any adds nothing.
    """
    against = scores[likes.user.unsqueeze(1), negatives].masked_fill(~counts, MASKED).logsumexp(dim=1)
    return softplus(against - scores[likes.user, likes.items]).sum()


def click_loss_over_catalogue(scores: torch.Tensor, likes: Histories, liked: torch.Tensor) -> torch.Tensor:
    """The same loss with the whole catalogue as negatives, less what the user likes.

    Args:
        liked: (users, M), True at every item the user likes in training.
    """
    against = scores.masked_fill(liked, MASKED).logsumexp(dim=1)
    return softplus(against[likes.user] - scores[likes.user, likes.items]).sum()
