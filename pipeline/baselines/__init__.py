"""What the model must beat: simple systems, fitted on the same training split and scored by the same function."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from math import isnan
from typing import Annotated

from pydantic import Field

from pipeline.baselines.als import ImplicitAls
from pipeline.baselines.ease import Ease
from pipeline.baselines.item_knn import ItemKnn
from pipeline.baselines.item_mean import ItemMean
from pipeline.baselines.popularity import Popularity
from pipeline.config import Config
from pipeline.dataset import Dataset
from pipeline.errors import InputError
from pipeline.evaluation.protocols import Evaluated, Scorer, evaluate_split

Fit = Callable[[Dataset], Scorer]


class BaselineConfig(Config):
    """Values to try; the one with the best validation figure runs on the test split."""

    baselines_chosen_by: str = Field(
        pattern=r"^(ctr\.user_auc|impression\.(user_auc|mrr|ndcg@5|ndcg@10)|ranking\.(ndcg@5|ndcg@10|recall@10|recall@20|hit@10))$",
        description="Validation figure by which each baseline's setting is chosen",
    )
    item_mean_damping: float = Field(ge=0, description="Ratings of the global mean that every item starts with")
    item_knn_neighbours: list[Annotated[int, Field(ge=1)]] = Field(
        min_length=1, description="Similar items that count for an item"
    )
    ease_l2: list[Annotated[float, Field(gt=0)]] = Field(min_length=1, description="Penalty on the squared weights")
    ease_max_items: int = Field(
        ge=1, description="EASE inverts an items x items matrix; beyond this many rated items it is left out"
    )
    als_factors: list[Annotated[int, Field(ge=1)]] = Field(min_length=1, description="Widths of the factors")
    als_regularization: list[Annotated[float, Field(ge=0)]] = Field(
        min_length=1, description="Penalty on the squared factors"
    )
    als_alpha: list[Annotated[float, Field(gt=0)]] = Field(min_length=1, description="Weight of an observed like")
    als_iterations: int = Field(ge=1, description="Rounds over users and items")


@dataclass(frozen=True)
class Tried:
    """A setting of a baseline and its validation figure."""

    system: str
    setting: str
    validation: float
    chosen: bool


@dataclass(frozen=True)
class Chosen:
    """The chosen setting of a baseline, fitted, with what it did on validation."""

    system: str
    scorer: Scorer
    on_validation: Evaluated


def candidates(config: BaselineConfig, seed: int, data: Dataset) -> dict[str, dict[str, Fit]]:
    """System name to settings to try; a system that cannot run on this data set has none."""
    few_enough = int((data.train_likes.getnnz(axis=0) > 0).sum()) <= config.ease_max_items
    return {
        "popularity": {"": Popularity.fit},
        "item-mean": {
            f"damping {config.item_mean_damping:g}": lambda data: ItemMean.fit(data, config.item_mean_damping)
        },
        "item-knn": {f"neighbours {k}": _bind(ItemKnn.fit, k) for k in config.item_knn_neighbours},
        "ease": {f"l2 {l2:g}": _bind(Ease.fit, l2) for l2 in config.ease_l2} if few_enough else {},
        "als": {
            f"factors {factors}, regularization {regularization:g}, alpha {alpha:g}": _bind(
                ImplicitAls.fit, factors, regularization, alpha, config.als_iterations, seed
            )
            for factors, regularization, alpha in product(
                config.als_factors, config.als_regularization, config.als_alpha
            )
        },
    }


def choose(data: Dataset, config: BaselineConfig, seed: int) -> Iterator[tuple[Chosen | None, Sequence[Tried]]]:
    """Fit each baseline with each setting, and keep the best on validation; None for a baseline left out.

    Raises:
        InputError: the data have no user that `baselines_chosen_by` could be computed for.
    """
    for system, settings in candidates(config, seed, data).items():
        best: Chosen | None = None
        best_setting, tried = "", {}
        for setting, fit in settings.items():
            scorer = fit(data)
            evaluated = evaluate_split(scorer, data, "valid")
            tried[setting] = evaluated.value(config.baselines_chosen_by)
            if isnan(tried[setting]):
                raise InputError(
                    f"baselines_chosen_by: found {config.baselines_chosen_by}, which no user of the validation split has "
                    "the candidates for; expected a figure of ranking"
                )
            if best is None or tried[setting] > tried[best_setting]:
                best, best_setting = Chosen(system, scorer, evaluated), setting
        yield best, [Tried(system, setting, value, setting == best_setting) for setting, value in tried.items()]


def _bind(fit: Callable[..., Scorer], *arguments: object) -> Fit:
    return lambda data: fit(data, *arguments)
