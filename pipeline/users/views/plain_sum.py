"""A view without attention: u = n^(gamma - 1) · sum over the history of W^V r_j."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from pipeline.common.precision import widened
from pipeline.users.histories import add_up
from pipeline.users.views.folded import SharedOut
from pipeline.users.views.view import View, sizes

if TYPE_CHECKING:
    from pipeline.users.histories import Histories


class PlainSum(View):
    """Every item of a history weighs the same."""

    is_sum = True

    def scores(
        self, candidates: torch.Tensor, in_history: torch.Tensor, history: Histories, *, leave_one_out: bool = False
    ) -> dict[str, torch.Tensor]:
        values = widened(in_history @ self.value)
        count = sizes(history).to(values.dtype)
        total = add_up(history, values)
        full = self.counted(count) / count.clamp(min=1)
        rest = self.counted(count - 1) / (count - 1).clamp(min=1)
        found = {}
        for head in self.output:
            seen = self.towards(candidates, head)
            scores = widened((total * full.unsqueeze(1)) @ seen.T)
            if leave_one_out:
                # An item's share in its own score is one number, whoever the user: no pass over the history's vectors.
                own = (seen * values).sum(dim=1)[history.items]
                with_it = scores[history.user, history.items]
                without = (with_it / full[history.user] - own) * rest[history.user]
                scores = scores.index_put((history.user, history.items), without - with_it, accumulate=True)
            found[head] = scores
        return found

    def fold(self, items: torch.Tensor, towards: torch.Tensor) -> SharedOut:
        # Nothing comes between W^V and W^O: the items are what their candidates are multiplied with.
        return SharedOut(items, items, towards @ self.value.T, self.shares)

    def shares(self, history: Histories) -> torch.Tensor:
        """What each entry of the histories counts: u is the sum of the W^V r_j times it, (entries, 1)."""
        count = sizes(history).to(self.exponent.dtype)
        return (self.counted(count) / count.clamp(min=1))[history.user].unsqueeze(1)
