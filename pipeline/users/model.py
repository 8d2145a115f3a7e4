"""A trained model: item vectors, the scorer, and how both are built and read back. It has nothing of its users."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import torch

from pipeline.common.errors import InputError
from pipeline.data.dataset import Dataset
from pipeline.users.co_rating import ItemWeights, by_co_rating, read_co_rating
from pipeline.users.count_biases import CountBiases, starts_by_counts
from pipeline.users.histories import Histories
from pipeline.users.knowledge import Knowledge, knowledge_from
from pipeline.users.names import ADDING, READ_BY
from pipeline.users.scorer import Biases, TwoViews, preference
from pipeline.users.settings import VariantConfig

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Ratings of the overall like-rate with which each item starts.
RATE_DAMPING = 5.0


@dataclass(frozen=True)
class Model:
    """
    Attributes:
        scorer: of all heads.
        items: R, (M, width).
        co_rating: item-to-item weights B, (M, M), for a model that has them.
        judge_share: how much `judge` counts beside `meet` where all items are ranked.
        co_rating_share: how much the scores that these make count beside the heads where all items are ranked.
        ranking_share: how much that score counts, without `judge`, beside `judge` where rated items are told apart.
        device: where all of these are.
        added: how many of the items, the last, came after training: their item-to-item weights are those of the items nearest to them.
    """

    scorer: TwoViews
    items: torch.Tensor
    co_rating: ItemWeights | None = None
    judge_share: float = 0.0
    co_rating_share: float = 0.0
    ranking_share: float = 0.0
    device: torch.device | str = "cpu"
    added: int = 0

    @classmethod
    def from_arrays(
        cls,
        arrays: dict[str, NDArray[np.float32]],
        config: VariantConfig,
        items: int,
        device: torch.device | str = "cpu",
        added: int = 0,
    ) -> Model:
        """
        Args:
            arrays: MODEL's tensors.
            config: the variant that was trained.
            items: of the data set, M, those that were added included.
            added: how many these are.

        Raises:
            InputError: the tensors are not those of such a model with these items.
        """
        vectors = arrays.get("items", np.zeros((0, 0), dtype=np.float32))
        if vectors.shape[0] != items:
            raise InputError(
                f"users/model: tensor items: found {vectors.shape[0]} rows, expected {items}; run `dvc repro`"
            )
        # Where biases started is as good as anything: those that were learned are read. It would take the whole training split.
        like_rate = 0.5 if "scorer.leniency_weight" in arrays else None
        biases = Biases({head: torch.zeros(items) for head in config.heads}, like_rate) if config.biases else None
        knowledge = knowledge_from(arrays, items, READ_BY[config.views]) if config.terms else None
        scorer = _scorer(config, vectors.shape[1], items, biases, knowledge)
        weights = {
            name.removeprefix("scorer."): torch.from_numpy(array)
            for name, array in arrays.items()
            if name.startswith("scorer.")
        }
        try:
            scorer.load_state_dict(weights)
        except RuntimeError as error:
            reason = " ".join(str(error).split())[:160]
            raise InputError(
                f"users/model: found weights of another model, expected those of this one: {reason}"
            ) from None
        stored = [name for name in arrays if name.startswith("co_rating")]
        if stored and not config.co_rating_l2:
            raise InputError("users/model: found item-to-item weights, expected none; run `dvc repro`")
        return cls(
            scorer.to(device).eval(),
            torch.from_numpy(vectors).to(device),
            read_co_rating(arrays, items, device) if config.co_rating_l2 else None,
            config.judge_share,
            config.co_rating_share,
            config.ranking_share,
            device,
            added,
        )

    def co_rated(self, likes: Histories, dislikes: Histories) -> torch.Tensor | None:
        """Scores of some users by the item-to-item weights, (users, M); None for a model without.

        Args:
            likes: histories of the users; dislikes likewise.
        """
        if self.co_rating is None:
            return None
        return by_co_rating(self.co_rating, tuple(self.scorer.views), likes, dislikes)

    def preference(self, scores: Mapping[str, torch.Tensor], co_rated: torch.Tensor | None) -> torch.Tensor:
        """By what all items are ranked for some users: `preference` of the heads, and the item-to-item weights; (users, M).

        Args:
            scores: of the heads.
            co_rated: of the same users.
        """
        ranked = preference(scores, self.judge_share)
        return ranked if co_rated is None else ranked + self.co_rating_share * co_rated


def build_scorer(config: VariantConfig, width: int, data: Dataset, knowledge: Knowledge | None = None) -> TwoViews:
    """The scorer of a variant as training starts with it.

    Args:
        width: d, of the item vectors.
        data: whose training split says how popular and how well liked items are, for the biases.
    """
    biases = starting_biases(data, config.heads) if config.biases else None
    return _scorer(config, width, data.items, biases, knowledge)


def _scorer(
    config: VariantConfig, width: int, items: int, biases: Biases | None, knowledge: Knowledge | None
) -> TwoViews:
    settings: dict[str, object] = {
        "attention": config.attention,
        "attention_heads": config.attention_heads,
        "exponent": config.pooling_exponent,
        "learn_exponent": config.learn_exponent,
    }
    # Vectors that are added up start small, and standardised ones at length sqrt(d).
    scale = 1.0 if config.fusion in ADDING else width**-0.5
    return TwoViews(
        width,
        items,
        config.heads,
        config.views,
        settings,
        biases,
        scale,
        terms=config.terms,
        knowledge=knowledge,
    )


def starting_biases(data: Dataset, heads: Sequence[str]) -> Biases:
    """Log popularity among likes (click, like) or ratings (meet), and the log-odds of the like-rate (judge), per item."""
    likes, dislikes = counts(data)
    overall = _like_rate(likes, dislikes)
    starts = biases_by_counts(likes, dislikes, overall, bool(dislikes.any()))

    def centred(values: NDArray[np.float64]) -> NDArray[np.float64]:
        found: NDArray[np.float64] = values - values.mean()
        return found

    starts = {head: start if head == "judge" and dislikes.any() else centred(start) for head, start in starts.items()}
    # Where nothing is disliked a rate says how many likes a user has, and nothing of how readily they like.
    like_rate = overall if dislikes.any() else None
    return Biases({head: torch.tensor(starts[head], dtype=torch.float32) for head in heads}, like_rate)


def build_count_biases(data: Dataset, heads: Sequence[str], knowledge: Knowledge) -> CountBiases:
    likes, dislikes = counts(data)
    start = partial(biases_by_counts, overall=_like_rate(likes, dislikes), disliking=bool(dislikes.any()))
    return CountBiases(knowledge.features, starts_by_counts(start, likes, dislikes, heads))


def biases_of_nothing(data: Dataset, heads: Sequence[str]) -> dict[str, float]:
    """Where the bias of an item that nobody has rated starts, by head."""
    likes, dislikes = counts(data)
    none = np.zeros(1)
    found = biases_by_counts(none, none, _like_rate(likes, dislikes), bool(dislikes.any()))
    return {head: float(found[head][0]) for head in heads}


def counts(data: Dataset) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Likes and dislikes of each item in the training split, each (M,)."""
    likes, dislikes = (
        np.asarray(matrix.sum(axis=0), dtype=np.float64).ravel() for matrix in (data.train_likes, data.train_dislikes)
    )
    return likes, dislikes


def biases_by_counts(
    likes: NDArray[np.float64], dislikes: NDArray[np.float64], overall: float, disliking: bool
) -> dict[str, NDArray[np.float64]]:
    """Where biases start, head to (M,).

    Args:
        likes: of each item, (M,); dislikes likewise.
        overall: share of likes among all ratings.
        disliking: whether anything is disliked in the data. Of counts without one dislike it cannot be told.
    """
    ratings = likes + dislikes
    rate = (likes + RATE_DAMPING * overall) / (ratings + RATE_DAMPING)
    liked = np.log(likes + 1)
    judged = np.log(rate / (1 - rate)) if disliking else liked
    return {"click": liked, "like": liked, "meet": np.log(ratings + 1), "judge": judged}


def _like_rate(likes: NDArray[np.float64], dislikes: NDArray[np.float64]) -> float:
    return float(np.clip(likes.sum() / max((likes + dislikes).sum(), 1), 0.01, 0.99))
