"""Users as vectors over the items' coordinates: what a sum of heads makes of both views, put together before any item is looked at.

A head is linear in the candidate where a view does not depend on it, so its W^O can be applied to users as well as to items, and views and
heads can be added up there. For some users out of many items that leaves a single product with the item vectors, where
scoring head by head and view by view multiplies every item by two matrices a head first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch

from pipeline.data.dataset import Dataset, blocks
from pipeline.evaluation.protocols.scores import Scores
from pipeline.users.histories import Histories, histories, read_by
from pipeline.users.model import Model
from pipeline.users.shares import head_shares, view_shares
from pipeline.users.views.view import sizes

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Users whose vectors are made at once: their cost is that of the items' values, once for each such block.
BLOCK_USERS = 4096


def why_no_vectors(model: Model) -> str | None:
    """Why scores are not inner products of user vectors with item vectors; None: they are."""
    if model.co_rating is not None:
        return (
            "no vectors: co_rating_l2 gives every pair of items a weight of its own, "
            "so that no user vector and item vector narrower than the catalogue have the score as their inner product"
        )
    reasons = [view.why_no_vectors for view in model.scorer.each_view().values() if view.why_no_vectors]
    return f"no vectors: {reasons[0]}" if reasons else None


def coordinates(
    model: Model, likes: Histories, dislikes: Histories, sums: Sequence[Mapping[str, float]]
) -> list[torch.Tensor]:
    """For each sum of heads the users' vectors u', (users, width), with sum of share · head(u, c) = u' · r_c but for biases.

    Args:
        model: one of which `why_no_vectors` says nothing.
        sums: head to its share.
    """
    width = model.items.shape[1]
    # A view scores any candidate by an inner product: by unit vectors it gives the user's own coordinates.
    unit = torch.eye(width, dtype=model.items.dtype, device=model.device)
    totals = [model.items.new_zeros(len(likes.lengths), width) for _ in sums]
    for name, view in model.scorer.each_view().items():
        scores = view.scores(unit, model.items, read_by(name, likes, dislikes))
        for place, shares in enumerate(sums):
            for head, share in view_shares(model, name, shares).items():
                totals[place] = totals[place] + scores[head] * share
    return totals


def item_bias(model: Model, shares: Mapping[str, float]) -> torch.Tensor:
    """What item biases add to a sum of heads, (M,)."""
    bias = model.items.new_zeros(len(model.items))
    for head, share in shares.items():
        if head in model.scorer.item_bias:
            bias = bias + share * model.scorer.item_bias[head]
    return bias


class ScoredByVectors:
    """`TrainedModel.score` for a large catalogue: users have vectors, made once, and a block of them is one product for each question.

    Args:
        data: whose training split makes the users.
    """

    def __init__(self, model: Model, data: Dataset) -> None:
        self._items = model.items
        preferred = head_shares(model)
        # Without a head of its own `judgement` is what `preference` is.
        self._sums = [preferred, {"judge": 1.0}] if "judge" in model.scorer.heads else [preferred]
        parts: list[list[torch.Tensor]] = [[] for _ in self._sums]
        leniency = []
        with torch.inference_mode():
            self._bias = [item_bias(model, shares) for shares in self._sums]
            for users in blocks(data.users, BLOCK_USERS):
                likes, dislikes = (
                    histories(matrix, users, model.device) for matrix in (data.train_likes, data.train_dislikes)
                )
                for kept, found in zip(parts, coordinates(model, likes, dislikes, self._sums), strict=True):
                    kept.append(found)
                ready = model.scorer.leniency(sizes(likes), sizes(dislikes))
                leniency.append(model.items.new_zeros(len(users)) if ready is None else ready)
            self._vectors = [torch.cat(kept) for kept in parts]
            self._leniency = torch.cat(leniency)

    def score(self, users: NDArray[np.int64]) -> Scores:
        with torch.inference_mode():
            preference = torch.addmm(self._bias[0], self._vectors[0][users], self._items.T).float().cpu().numpy()
        if len(self._sums) == 1:
            return Scores(preference, preference)
        return Scores(preference, Judged(self._items, self._vectors[1][users], self._bias[1], self._leniency[users]))


class Judged(NamedTuple):
    """Judgements of some users, each made when it is asked for: of the whole catalogue hardly any is.

    Attributes:
        items: (M, width).
        users: (users, width).
        item_bias: (M,).
        leniency: (users,).
    """

    items: torch.Tensor
    users: torch.Tensor
    item_bias: torch.Tensor
    leniency: torch.Tensor

    def __getitem__(self, cells: Any) -> Any:
        """At these rows and columns, (cells,)."""
        row, column = (torch.from_numpy(place).to(self.items.device) for place in cells)
        with torch.inference_mode():
            found = torch.linalg.vecdot(self.users[row], self.items[column]) + self.item_bias[column]
            return (found + self.leniency[row]).float().cpu().numpy()
