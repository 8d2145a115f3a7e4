"""A trained model: item vectors, the scorer, and how both are built and read back. It has nothing of its users."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from pipeline.common.errors import InputError
from pipeline.data.dataset import Dataset
from pipeline.users.names import ADDING
from pipeline.users.scorer import Biases, TwoViews
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
        co_rating: view to item-to-item weights, (M, M), for a model that has them.
        judge_share: how much `judge` counts beside `meet` where all items are ranked.
        device: where all of these are.
    """

    scorer: TwoViews
    items: torch.Tensor
    co_rating: Mapping[str, torch.Tensor] | None = None
    judge_share: float = 0.0
    device: torch.device | str = "cpu"

    @classmethod
    def from_arrays(
        cls,
        arrays: dict[str, NDArray[np.float32]],
        config: VariantConfig,
        items: int,
        device: torch.device | str = "cpu",
    ) -> Model:
        """
        Args:
            arrays: MODEL's tensors.
            config: the variant that was trained.
            items: of the data set, M.

        Raises:
            InputError: the tensors are not those of such a model with these items.
        """
        vectors = arrays.get("items", np.zeros((0, 0), dtype=np.float32))
        if vectors.shape[0] != items:
            raise InputError(
                f"users/model: tensor items: found {vectors.shape[0]} rows, expected {items}; run `dvc repro`"
            )
        # Where biases started is as good as anything: those that were learned are read. It would take the whole training split.
        biases = Biases({head: torch.zeros(items) for head in config.heads}, 0.5) if config.biases else None
        scorer = _scorer(config, vectors.shape[1], items, biases)
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
        co_rating = {
            name.removeprefix("co_rating."): torch.from_numpy(array).to(device)
            for name, array in arrays.items()
            if name.startswith("co_rating.")
        }
        expected = set(scorer.views) if config.co_rating_l2 else set()
        if {view for view, weights in co_rating.items() if weights.shape == (items, items)} != expected:
            raise InputError(
                f"users/model: found item-to-item weights of {', '.join(sorted(co_rating)) or 'no view'}, "
                f"expected {items} x {items} of {', '.join(sorted(expected)) or 'none'}; run `dvc repro`"
            )
        return cls(
            scorer.to(device).eval(),
            torch.from_numpy(vectors).to(device),
            co_rating or None,
            config.judge_share,
            device,
        )


def build_scorer(config: VariantConfig, width: int, data: Dataset) -> TwoViews:
    """The scorer of a variant as training starts with it.

    Args:
        width: d, of the item vectors.
        data: whose training split says how popular and how well liked items are, for the biases.
    """
    return _scorer(config, width, data.items, starting_biases(data, config.heads) if config.biases else None)


def _scorer(config: VariantConfig, width: int, items: int, biases: Biases | None) -> TwoViews:
    settings: dict[str, object] = {
        "attention": config.attention,
        "attention_heads": config.attention_heads,
        "exponent": config.pooling_exponent,
        "learn_exponent": config.learn_exponent,
    }
    # Vectors that are added up start small, and standardised ones at length sqrt(d).
    scale = 1.0 if config.fusion in ADDING else width**-0.5
    return TwoViews(
        width, items, config.heads, config.views, settings, biases, scale, co_rating=config.co_rating_l2 > 0
    )


def starting_biases(data: Dataset, heads: Sequence[str]) -> Biases:
    """Log popularity among likes (click, like) or ratings (meet), and the log-odds of the like-rate (judge), per item."""
    likes, dislikes = (
        np.asarray(matrix.sum(axis=0), dtype=np.float64).ravel() for matrix in (data.train_likes, data.train_dislikes)
    )
    ratings = likes + dislikes
    overall = np.clip(likes.sum() / max(ratings.sum(), 1), 0.01, 0.99)
    rate = (likes + RATE_DAMPING * overall) / (ratings + RATE_DAMPING)

    def centred_log(counts: NDArray[np.float64]) -> NDArray[np.float64]:
        logs = np.log(counts + 1)
        centred: NDArray[np.float64] = logs - logs.mean()
        return centred

    starts = {
        "click": centred_log(likes),
        "like": centred_log(likes),
        "meet": centred_log(ratings),
        "judge": np.log(rate / (1 - rate)),
    }
    return Biases({head: torch.tensor(starts[head], dtype=torch.float32) for head in heads}, float(overall))
