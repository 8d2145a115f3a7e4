"""Users as vectors over the items' coordinates: what a sum of heads makes of both views, put together before any item is looked at.

    sum over heads of share · head(u, c) = u' · r_c + b_c,   u' = sum over views and heads of share · W^O^T u

A head is linear in the candidate where a view does not depend on it, so its W^O can be applied to users as well as to items, and views and
heads can be added up there. For some users out of many items that leaves a single product with the item vectors, where
scoring head by head and view by view multiplies every item by two matrices a head first.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch

from pipeline.data.dataset import Dataset, blocks
from pipeline.evaluation.protocols.scores import Scores
from pipeline.users.histories import Histories, histories, read_by
from pipeline.users.model import Model
from pipeline.users.shares import head_shares, judging_shares, view_shares
from pipeline.users.views.folded import FoldedView
from pipeline.users.views.view import View, sizes

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Users whose vectors are made at once: their cost is that of the items' values, once for each such block.
BLOCK_USERS = 4096


def why_no_vectors(model: Model) -> str | None:
    """Why scores are not inner products of user vectors with item vectors; None: they are."""
    views = model.scorer.each_view()
    terms = sorted({term for name in views for term in model.scorer.terms_of(name)})
    pairs = [*(["co_rating_l2"] if model.co_rating is not None else []), *(["terms"] if terms else [])]
    if pairs:
        names = " and ".join(pairs) + (f" ({', '.join(terms)})" if terms else "")
        reason = (
            f"{names} {'gives' if pairs == ['co_rating_l2'] else 'give'} every pair of items a weight of its own, which vectors "
            f"of {model.items.shape[1]} numbers would leave out of the score"
        )
    else:
        reason = next((view.why_no_vectors for view in views.values() if view.why_no_vectors), "")
    if not reason:
        return None
    return f"no vectors: {reason}; instead of an index use the table of recommendations, or `crmman recommend`"


def item_bias(model: Model, shares: Mapping[str, float]) -> torch.Tensor:
    """What item biases add to a sum of heads, (M,)."""
    bias = model.items.new_zeros(len(model.items))
    for head, share in shares.items():
        if head in model.scorer.item_bias:
            bias = bias + share * model.scorer.item_bias[head]
    return bias


class Weighed(NamedTuple):
    """Histories of some people and what each of their entries counts, whatever the heads.

    Attributes:
        likes, dislikes: of the people.
        by_view: the history that a view reads, and the shares of its entries, (entries, heads).
    """

    likes: Histories
    dislikes: Histories
    by_view: dict[str, tuple[Histories, torch.Tensor]]


class HeadSum:
    """A sum of a model's heads, put together once; to be used without gradients.

    Args:
        shares: head to its share in the sum.

    Attributes:
        model: whose heads they are.
        shares: as given.
        bias: what item biases add to it, (M,).
        views: by name, as this sum reads them.
    """

    def __init__(self, model: Model, shares: Mapping[str, float]) -> None:
        self.model, self.shares = model, dict(shares)
        with torch.inference_mode():
            self.bias = item_bias(model, shares)
            self.views = {
                name: _folded(model, view, view_shares(model, name, shares))
                for name, view in model.scorer.each_view().items()
            }

    def weighed(self, likes: Histories, dislikes: Histories) -> Weighed:
        by_view = {}
        for name, view in self.views.items():
            history = read_by(name, likes, dislikes)
            by_view[name] = history, view.shares(history)
        return Weighed(likes, dislikes, by_view)

    def users(self, weighed: Weighed) -> torch.Tensor | None:
        """The u', (people, width), whose u' · r_c + b_c is the sum without EASE and terms; None where candidates have their own."""
        total = self.model.items.new_zeros(len(weighed.likes.lengths), self.model.items.shape[1])
        for name, of_view in weighed.by_view.items():
            users = self.views[name].users(*of_view)
            if users is None:
                return None
            total += users
        return total

    def scores(self, users: torch.Tensor, out: torch.Tensor | None = None) -> torch.Tensor:
        """Of every item for some of `users`, u' · r_c + b_c, (users, M), in the place of ``out`` if that is given."""
        return torch.addmm(self.bias, users, self.model.items.T, out=out)


def _folded(model: Model, view: View, shares: Mapping[str, float]) -> FoldedView:
    unit = torch.eye(model.items.shape[1], dtype=model.items.dtype, device=model.device)
    # Heads differ in W^O alone: by their shares they are one.
    towards = torch.zeros_like(unit)
    for head, share in shares.items():
        towards = towards + view.towards(unit, head) * share
    return view.fold(model.items, towards)


class ScoredByVectors:
    """`TrainedModel.score` for a large catalogue: users have vectors, and a block of them is one product for each question. Those of whom
    figures are have theirs made once, others when they are asked for.

    Args:
        model: one of which `why_no_vectors` says nothing.
        data: whose training split makes the users.
    """

    def __init__(self, model: Model, data: Dataset) -> None:
        self._model, self._data, self._items = model, data, model.items
        preferred = head_shares(model)
        # Without a head of its own `judgement` is what `preference` is.
        sums = [preferred, judging_shares(model)] if "judge" in model.scorer.heads else [preferred]
        self._sums = [HeadSum(model, shares) for shares in sums]
        made = [self._made(data.evaluated[some]) for some in blocks(len(data.evaluated), BLOCK_USERS)]
        self._vectors = [torch.cat(parts) for parts in zip(*(vectors for vectors, _ in made), strict=True)]
        self._leniency = torch.cat([leniency for _, leniency in made])

    def _made(self, users: NDArray[np.int64]) -> tuple[list[torch.Tensor], torch.Tensor]:
        """Vectors of some users for each sum, (users, width), and their leniency, (users,)."""
        model, data = self._model, self._data
        with torch.inference_mode():
            likes, dislikes = (
                histories(matrix, users, model.device) for matrix in (data.train_likes, data.train_dislikes)
            )
            weighed = self._sums[0].weighed(likes, dislikes)
            vectors = []
            for one in self._sums:
                found = one.users(weighed)
                assert found is not None
                vectors.append(found)
            ready = model.scorer.leniency(sizes(likes), sizes(dislikes))
            return vectors, model.items.new_zeros(len(users)) if ready is None else ready

    def _of(self, users: NDArray[np.int64]) -> tuple[list[torch.Tensor], torch.Tensor]:
        """As `_made`, of what is there already where it is."""
        known = self._data.evaluated
        places = np.minimum(np.searchsorted(known, users), len(known) - 1)
        if not np.array_equal(known[places], users):
            return self._made(users)
        return [vectors[places] for vectors in self._vectors], self._leniency[places]

    def score(self, users: NDArray[np.int64]) -> Scores:
        with torch.inference_mode():
            vectors, leniency = self._of(users)
            preference = self._sums[0].scores(vectors[0]).float().cpu().numpy()
        if len(self._sums) == 1:
            return Scores(preference, preference)
        return Scores(preference, Judged(self._items, vectors[1], self._sums[1].bias, leniency))


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
