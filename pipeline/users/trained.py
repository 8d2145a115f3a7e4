"""The trained model as evaluation sees it: users are made of their training histories."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch

from pipeline.data.dataset import Dataset
from pipeline.evaluation.protocols.scores import Scores
from pipeline.users.coordinates import ScoredByVectors, why_no_vectors
from pipeline.users.histories import histories
from pipeline.users.model import Model
from pipeline.users.scorer import judgement
from pipeline.users.views.view import sizes

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Items from which on users are scored by vectors: blocks of users are small then, and what each does with all items is most of the work.
BY_VECTORS_FROM = 4096


class Unmixed(NamedTuple):
    """What the scores of some users are mixed from.

    Attributes:
        heads: head to scores, (users, M).
        leniency: of the users, (users,), where the model has it.
        co_rated: by item-to-item weights, (users, M), where the model has these.
    """

    heads: dict[str, torch.Tensor]
    leniency: torch.Tensor | None
    co_rated: torch.Tensor | None


@dataclass(frozen=True)
class TrainedModel:
    """
    Attributes:
        model: what was learned.
        data: whose training split makes the users.
    """

    model: Model
    data: Dataset

    def __post_init__(self) -> None:
        # Once, and not by each thread or process that scores a block of users.
        _ = self._by_vectors

    @cached_property
    def _by_vectors(self) -> ScoredByVectors | None:
        """Where scores are inner products and the catalogue is large, what makes them of vectors."""
        large = len(self.model.items) >= BY_VECTORS_FROM and why_no_vectors(self.model) is None
        return ScoredByVectors(self.model, self.data) if large else None

    def score(self, users: NDArray[np.int64]) -> Scores:
        """Scores of every item by whole training histories."""
        if self._by_vectors is not None:
            return self._by_vectors.score(users)
        return self.mixed(self.unmixed(users))

    def unmixed(self, users: NDArray[np.int64]) -> Unmixed:
        """What no share has a part in."""
        model = self.model
        with torch.inference_mode():
            likes = histories(self.data.train_likes, users, model.device)
            dislikes = histories(self.data.train_dislikes, users, model.device)
            return Unmixed(
                model.scorer(model.items, likes, dislikes),
                model.scorer.leniency(sizes(likes), sizes(dislikes)),
                model.co_rated(likes, dislikes),
            )

    def mixed(self, parts: Unmixed) -> Scores:
        """Scores by the model's shares of these parts."""
        with torch.inference_mode():
            liked = self.model.preference(parts.heads, parts.co_rated)
            judged = judgement(parts.heads, parts.leniency, self.model.ranking_share)
        return Scores(liked.float().cpu().numpy(), judged.float().cpu().numpy())
