"""What all views have in common: W^V, one W^O for each head that reads them, and how a history's length counts."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import nn

from pipeline.common.devices import placed
from pipeline.common.precision import widened
from pipeline.users.widths import check_heads

if TYPE_CHECKING:
    from pipeline.users.histories import Histories
    from pipeline.users.views.folded import FoldedView


class View(nn.Module, ABC):
    """A view, u = n^gamma · (mean over the history), read by one or more heads as r_c^T W^O_head u.

    The method has gamma = 0 and one head.

    Args:
        width: d, of the item vectors.
        attention_heads: of no use to a view without attention.
        outputs: names of the heads.
        exponent: gamma at the start.
        learn_exponent: go on learning it.

    Attributes:
        why_no_vectors: why users have no vector whose inner product with an item's is the score; None where they have.
        is_sum: whether u is n^(gamma - 1) times the sum of the W^V r_j, so that a view is one matrix.
    """

    why_no_vectors: ClassVar[str | None] = None
    is_sum: ClassVar[bool] = False

    def __init__(
        self, width: int, attention_heads: int, outputs: Sequence[str], exponent: float, learn_exponent: bool
    ) -> None:
        super().__init__()
        # W^V and W^O start as the identity, so that a user starts as the mean of the items.
        self.value = nn.Parameter(torch.eye(width))
        self.output = nn.ParameterDict({name: nn.Parameter(torch.eye(width)) for name in outputs})
        self.exponent = nn.Parameter(torch.tensor(float(exponent)), requires_grad=learn_exponent)

    @classmethod
    def check(cls, width: int, attention_heads: int, items: int) -> None:
        """Whether there can be such a view.

        Args:
            items: of the catalogue.

        Raises:
            InputError: there cannot.
        """

    @abstractmethod
    def scores(
        self, candidates: torch.Tensor, in_history: torch.Tensor, history: Histories, *, leave_one_out: bool = False
    ) -> dict[str, torch.Tensor]:
        """r_c^T W^O_head u for every user and every item.

        Args:
            candidates: R as candidates, (M, width).
            in_history: R as items of a history, (M, width): another draw of dropout.
            history: the users' sets.
            leave_one_out: each cell of an item that is in the history is scored by the history without that item.

        Returns:
            head to (users, M); zero for an empty history.
        """

    @abstractmethod
    def fold(self, items: torch.Tensor, towards: torch.Tensor) -> FoldedView:
        """The view of a trained model, its heads put together, for contributions and users' vectors.

        Args:
            items: R, (M, width).
            towards: the sum of the heads' shares times W^O^T, (width, width).
        """

    def towards(self, candidates: torch.Tensor, head: str) -> torch.Tensor:
        """Candidates as a view's mean of values sees them: r_c · (ū W^O) = (r_c W^O^T) · ū, so W^O is applied once per item."""
        return widened(candidates @ self.output[head].T)

    def counted(self, sizes: torch.Tensor) -> torch.Tensor:
        """n^gamma for sizes n; 0 for an empty history."""
        return torch.where(sizes > 0, torch.pow(sizes.clamp(min=1), self.exponent), 0.0)


class AttentionView(View):
    """A view whose entries are weighed by queries and keys.

    Attributes:
        heads: how many; they divide the width.
    """

    def __init__(
        self, width: int, attention_heads: int, outputs: Sequence[str], exponent: float, learn_exponent: bool
    ) -> None:
        super().__init__(width, attention_heads, outputs, exponent, learn_exponent)
        self.heads = attention_heads
        self.query = nn.Parameter(torch.randn(width, width) * width**-0.5)
        self.key = nn.Parameter(torch.randn(width, width) * width**-0.5)

    @classmethod
    def check(cls, width: int, attention_heads: int, items: int) -> None:
        check_heads(attention_heads, width)


def sizes(history: Histories) -> torch.Tensor:
    """Length of each user's set as floats, (users,)."""
    return placed(history.lengths, history.items.device).to(torch.get_default_dtype())
