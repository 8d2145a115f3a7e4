"""How much each head, each view and EASE's weights count in `preference`, the score by which items are ranked."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch

from pipeline.users.co_rating import WEIGHTS
from pipeline.users.model import Model
from pipeline.users.scorer import judgement, preference


def view_shares(model: Model, view: str, shares: Mapping[str, float]) -> dict[str, float]:
    """Factor of each head's reading of a view in a sum of heads, of which these are the shares."""
    scorer = model.scorer
    weights = scorer.weights[:, list(scorer.views).index(view)].tolist()
    by_head: dict[str, float] = dict(zip(scorer.heads, weights, strict=True))
    return {head: share * scorer.scale * by_head[head] for head, share in shares.items()}


def co_rating_share(model: Model, view: str) -> float:
    """Factor of EASE's weights of a view's items."""
    return model.co_rating_share * WEIGHTS[view]


def head_shares(model: Model) -> dict[str, float]:
    """How much each head counts in `preference`; heads that do not are left out."""
    return dict(_shares(model.scorer.heads, lambda scores: preference(scores, model.judge_share)))


def judging_shares(model: Model) -> dict[str, float]:
    """How much each head counts in `judgement`; heads that do not are left out."""
    return dict(_shares(model.scorer.heads, lambda scores: judgement(scores, None, model.ranking_share)))


def _shares(heads: tuple[str, ...], weighed: Callable[[dict[str, torch.Tensor]], torch.Tensor]) -> Mapping[str, float]:
    unit = torch.eye(len(heads), dtype=torch.float64)
    shares = {head: float(weighed(dict(zip(heads, row, strict=True)))) for head, row in zip(heads, unit, strict=True)}
    return {head: share for head, share in shares.items() if share}
