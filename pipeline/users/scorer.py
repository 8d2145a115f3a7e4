"""Scores of all items from a user's views (method 7), by one or more heads.

    head(u, c) = w1 r_c^T W1_head u+ + w2 r_c^T W2_head u- + b_c,   divided by sqrt(d) where item vectors start large

The method has one head, the click, without a bias. The recommended model asks two of three questions, each a head of its own over the
same item vectors and views: *like* (which of all items will be liked), *meet* (which will be rated at all), *judge* (will
what is rated be liked?). It is the entire-space idea (ESMM; Ma et al., SIGIR 2018): P(like) = P(meet) P(like | meet).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import nn
from torch.nn.functional import dropout

from pipeline.common.devices import placed
from pipeline.users.count_biases import OfItems
from pipeline.users.histories import Histories, read_by
from pipeline.users.knowledge import Knowledge
from pipeline.users.names import READ_BY, Head, Views
from pipeline.users.terms.names import Term
from pipeline.users.terms.registry import TERMS
from pipeline.users.terms.term import PairTerm, Rated
from pipeline.users.views.registry import build_view
from pipeline.users.views.view import View

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# w2 at the start. A dislike is a rating like any other to `meet`, and speaks against its kind to `judge`.
DISLIKES_START = {"click": 1.0, "like": 0.0, "meet": 0.3, "judge": -0.3}


# Ratings of the overall like-rate with which each user starts.
LENIENCY_DAMPING = 5.0


class Biases(NamedTuple):
    """
    Attributes:
        items: where each head's item biases start, head to (M,).
        like_rate: share of likes among all ratings, between 0 and 1; None where nothing is disliked, for a model without leniency.
    """

    items: dict[str, torch.Tensor]
    like_rate: float | None


class TwoViews(nn.Module):
    """
    Args:
        width: d, of the item vectors.
        items: of the catalogue.
        heads: which questions are asked.
        views: both apart; likes alone; or likes and dislikes merged into one.
        view_settings: of `build_view`: attention, attention_heads, exponent, learn_exponent.
        biases: where they start; None for a model without any.
        terms: what views also read a history by.
        knowledge: what they need; of no use without.
        scale: factor of every score but the biases. The weights could do as well: it lets them start at 1.
    """

    def __init__(
        self,
        width: int,
        items: int,
        heads: Sequence[Head],
        views: Views,
        view_settings: dict[str, object],
        biases: Biases | None,
        scale: float,
        terms: Sequence[Term] = (),
        knowledge: Knowledge | None = None,
    ) -> None:
        super().__init__()
        self.heads, self.kind, self.scale = tuple(heads), views, scale
        names = READ_BY[views]
        self.views = nn.ModuleDict(
            {name: build_view(width=width, items=items, outputs=heads, **view_settings) for name in names}  # type: ignore[arg-type]
        )
        starts = [[DISLIKES_START[head] if name == "dislikes" else 1.0 for name in names] for head in heads]
        self.weights = nn.Parameter(torch.tensor(starts))
        self.item_bias = nn.ParameterDict(
            {head: nn.Parameter(start.clone()) for head, start in (biases.items if biases else {}).items()}
        )
        self.terms = nn.ModuleDict()
        if terms:
            assert knowledge is not None
            for name in names:
                self.terms[name] = nn.ModuleDict({term: TERMS[term](heads, name, knowledge) for term in terms})
        if biases and biases.like_rate is not None and "judge" in heads:
            self.register_buffer("like_rate", torch.tensor(biases.like_rate))
            self.leniency_weight = nn.Parameter(torch.tensor(1.0))

    def forward(
        self,
        items: torch.Tensor,
        likes: Histories,
        dislikes: Histories,
        *,
        leave_one_out: bool = False,
        drop: float = 0.0,
        catalogue: NDArray[np.int64] | None = None,
        rated: Rated | None = None,
        biases: Mapping[str, OfItems] | None = None,
    ) -> dict[str, torch.Tensor]:
        """Scores of every item for some users.

        Args:
            items: R, (M, width).
            likes: histories of the users.
            dislikes: likewise.
            leave_one_out: score each item of a history by the user without that item, in the view it sits in. Other
                items are in no history, so there is nothing to leave out.
            drop: dropout rate on the item vectors, drawn apart for their role as candidates and in histories.
            catalogue: which items of the catalogue the M are, (M,); None where they are all of it. Histories then hold
                places among the M.
            rated: in training: all that the users rated, which terms and biases by counts leave out one by one.
            biases: in training: of each head, by counts, in place of the item biases.

        Returns:
            head to (users, M). `judge` is without the user's leniency, which orders nothing for one user.
        """
        candidates, in_history = dropout(items, drop, drop > 0), dropout(items, drop, drop > 0)
        total: dict[str, torch.Tensor] = {}
        for place, (name, view) in enumerate(self.each_view().items()):
            history = read_by(name, likes, dislikes)
            found = view.scores(candidates, in_history, history, leave_one_out=leave_one_out)
            for row, head in enumerate(self.heads):
                part = found[head] * (self.weights[row, place] * self.scale)
                total[head] = total[head] + part if head in total else part
            for term in self.terms_of(name).values():
                found = term.scores(history, catalogue, rated, leave_one_out)
                total = {head: total[head] + found[head] for head in self.heads}
        chosen = None if catalogue is None else placed(catalogue, items.device)
        for name, bias in self.item_bias.items():
            if biases is None:
                total[name] = total[name] + (bias if chosen is None else bias.index_select(0, chosen))
            else:
                assert rated is not None
                total[name] = _with_bias(total[name], biases[name], rated, chosen)
        return total

    def terms_of(self, view: str) -> dict[Term, PairTerm]:
        """Those of a view, by name."""
        return dict(self.terms[view].items()) if view in self.terms else {}  # type: ignore[operator]

    def each_view(self) -> dict[str, View]:
        """By name: likes and dislikes, or rated."""
        return dict(self.views.items())  # type: ignore[arg-type]

    def leniency(self, likes: torch.Tensor, dislikes: torch.Tensor) -> torch.Tensor | None:
        """How readily users like what they rate: log-odds of their damped like-rate against everybody's, times a learned weight.

        A user has no parameter of their own, so that it can be said of a user without one rating (leave-one-out), and of
        people the model has never seen.

        Args:
            likes: how many, (users,); dislikes likewise.

        Returns:
            (users,), to be added to `judge`; None for a model without biases, or of data in which nothing is disliked.
        """
        if not hasattr(self, "leniency_weight"):
            return None
        overall: torch.Tensor = self.get_buffer("like_rate")
        rate = (likes + LENIENCY_DAMPING * overall) / (likes + dislikes + LENIENCY_DAMPING)
        return self.leniency_weight * (torch.logit(rate) - torch.logit(overall))


def _with_bias(scores: torch.Tensor, bias: OfItems, rated: Rated, catalogue: torch.Tensor | None) -> torch.Tensor:
    """Scores with a bias added, what a user rated without that rating."""
    whole, *without = (one if catalogue is None else one.index_select(0, catalogue) for one in bias)
    total = scores + whole
    for own, fewer in zip(rated, without, strict=True):
        total = total.index_put((own.user, own.items), (fewer - whole)[own.items], accumulate=True)
    return total


def preference(scores: Mapping[str, torch.Tensor], judge_share: float) -> torch.Tensor:
    """By what all items of the catalogue are ranked: click, like, or meet + judge_share · judge; (users, M).

    log P(meet) + log P(like | meet) is meet plus a function of judge that is linear where judge is low and flat where it is
    high. A straight line in its place ranks as well, and keeps the score a sum over the items of the history.

    Args:
        scores: of the heads.
    """
    for head in ("click", "like"):
        if head in scores:
            return scores[head]
    if "judge" not in scores:
        return scores["meet"]
    return scores["meet"] + judge_share * scores["judge"]


def judgement(
    scores: dict[str, torch.Tensor], leniency: torch.Tensor | None, ranking_share: float = 0.0
) -> torch.Tensor:
    """By what the items that a user rated are told apart: judge where there is such a head; (users, M).

    Args:
        scores: of the heads.
        leniency: of the users, (users,): within a user it orders nothing, between users it does.
        ranking_share: how much the score by which all items are ranked counts beside judge. Where a dislike is weak interest more than
            aversion, who would meet an item says something of who would like it.
    """
    if "judge" not in scores:
        return preference(scores, 0.0)
    judged = scores["judge"]
    if ranking_share:
        judged = judged + ranking_share * preference(scores, 0.0)
    return judged if leniency is None else judged + leniency.unsqueeze(1)
