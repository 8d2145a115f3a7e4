"""What the model must beat: simple systems, fitted on the same training split and scored by the same function."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import product
from math import isnan
from typing import Annotated

from pydantic import Field

from pipeline.common.config import Config
from pipeline.common.cores import cores_here
from pipeline.common.errors import InputError
from pipeline.data.dataset import Dataset
from pipeline.evaluation.baselines.als import ImplicitAls
from pipeline.evaluation.baselines.biased_mf import BiasedMf
from pipeline.evaluation.baselines.ease import fit_ease
from pipeline.evaluation.baselines.item_knn import ItemKnn
from pipeline.evaluation.baselines.item_mean import ItemMean
from pipeline.evaluation.baselines.popularity import Popularity
from pipeline.evaluation.metrics.evaluated import Evaluated, evaluate_split
from pipeline.evaluation.protocols.scores import Scorer

Fit = Callable[[Dataset], Scorer]
# By what the systems that learn from dislikes are chosen; see `candidates`.
OF_DISLIKES = "impression.ndcg@10"
# Cells of items x items matrices that settings which are tried at once may have between them; EASE needs a few for each.
MOST_CELLS = 100_000_000


class BaselineConfig(Config):
    """Values to try; the one with the best validation figure runs on the test split."""

    baselines_chosen_by: str = Field(
        pattern=r"^(ctr\.user_auc|impression\.(user_auc|mrr|ndcg@5|ndcg@10)|ranking\.(ndcg@5|ndcg@10|recall@10|recall@20|hit@10))$",
        description="Validation figure by which a baseline's setting is chosen; item-mean, signed-ease and biased-mf, which "
        "learn from dislikes, are chosen by impression.ndcg@10 where the data set has it",
    )
    item_mean_damping: list[Annotated[float, Field(ge=0)]] = Field(
        min_length=1, description="Ratings of the global mean that every item starts with"
    )
    item_knn_neighbours: list[Annotated[int, Field(ge=1)]] = Field(
        min_length=1, description="Similar items that count for an item"
    )
    ease_l2: list[Annotated[float, Field(gt=0)]] = Field(min_length=1, description="Penalty on the squared weights")
    ease_max_items: int = Field(
        ge=1, description="EASE inverts an items x items matrix; beyond this many rated items it is left out"
    )
    signed_ease_l2: list[Annotated[float, Field(gt=0)]] = Field(
        min_length=1, description="Penalty on the squared weights of EASE on likes and dislikes"
    )
    signed_ease_dislike_weight: list[Annotated[float, Field(ge=0)]] = Field(
        min_length=1, description="How much a dislike counts against a like's 1"
    )
    als_factors: list[Annotated[int, Field(ge=1)]] = Field(min_length=1, description="Widths of the factors")
    als_regularization: list[Annotated[float, Field(ge=0)]] = Field(
        min_length=1, description="Penalty on the squared factors"
    )
    als_alpha: list[Annotated[float, Field(gt=0)]] = Field(min_length=1, description="Weight of an observed like")
    als_iterations: int = Field(ge=1, description="Rounds over users and items")
    biased_mf_factors: list[Annotated[int, Field(ge=1)]] = Field(
        min_length=1, description="Widths of the factors of ratings"
    )
    biased_mf_regularization: list[Annotated[float, Field(gt=0)]] = Field(
        min_length=1, description="Penalty on the squared factors and biases"
    )
    biased_mf_iterations: int = Field(ge=1, description="Rounds over users and items")


@dataclass(frozen=True)
class Baseline:
    """Settings to try, and the validation figure that chooses among them."""

    settings: Mapping[str, Fit]
    chosen_by: str


@dataclass(frozen=True)
class Tried:
    """A setting of a baseline and its validation figure."""

    system: str
    setting: str
    chosen_by: str
    validation: float
    chosen: bool


@dataclass(frozen=True)
class Chosen:
    """The chosen setting of a baseline, fitted, with what it did on validation."""

    system: str
    scorer: Scorer
    on_validation: Evaluated


def left_out(config: BaselineConfig, data: Dataset) -> dict[str, str]:
    """Systems that are too large for this data set, and why."""
    liked, disliked = (matrix.getnnz(axis=0) > 0 for matrix in (data.train_likes, data.train_dislikes))
    counts = {"ease": (liked.sum(), "items with a like"), "signed-ease": ((liked | disliked).sum(), "rated items")}
    return {
        system: f"{count} {what}, more than ease_max_items {config.ease_max_items}"
        for system, (count, what) in counts.items()
        if count > config.ease_max_items
    }


def candidates(config: BaselineConfig, seed: int, threads: int = 0) -> dict[str, Baseline]:
    """System name to what is tried of it.

    Systems that learn from dislikes are there for the protocol that ranks dislikes. Chosen by a figure of another one they
    would be weakened at their own: signed EASE, say, would all but leave its dislikes out and be a second EASE.

    Args:
        threads: of ALS, which has threads of its own; 0: as many as there are processors. They change no byte.
    """
    popularity = {"": Popularity.fit}
    item_mean = {f"damping {damping:g}": _bind(ItemMean.fit, damping) for damping in config.item_mean_damping}
    item_knn = {f"neighbours {k}": _bind(ItemKnn.fit, k) for k in config.item_knn_neighbours}
    ease = {f"l2 {l2:g}": _bind(fit_ease, l2) for l2 in config.ease_l2}
    signed_ease = {
        f"l2 {l2:g}, dislike weight {weight:g}": _bind(fit_ease, l2, weight)
        for l2, weight in product(config.signed_ease_l2, config.signed_ease_dislike_weight)
    }
    als = {
        f"factors {factors}, regularization {regularization:g}, alpha {alpha:g}": _bind(
            ImplicitAls.fit, factors, regularization, alpha, config.als_iterations, seed, threads
        )
        for factors, regularization, alpha in product(config.als_factors, config.als_regularization, config.als_alpha)
    }
    biased_mf = {
        f"factors {factors}, regularization {regularization:g}": _bind(
            BiasedMf.fit, factors, regularization, config.biased_mf_iterations, seed
        )
        for factors, regularization in product(config.biased_mf_factors, config.biased_mf_regularization)
    }
    return {
        "popularity": Baseline(popularity, config.baselines_chosen_by),
        "item-mean": Baseline(item_mean, OF_DISLIKES),
        "item-knn": Baseline(item_knn, config.baselines_chosen_by),
        "ease": Baseline(ease, config.baselines_chosen_by),
        "signed-ease": Baseline(signed_ease, OF_DISLIKES),
        "als": Baseline(als, config.baselines_chosen_by),
        "biased-mf": Baseline(biased_mf, OF_DISLIKES),
    }


def choose(data: Dataset, config: BaselineConfig, seed: int) -> Iterator[tuple[Chosen, Sequence[Tried]]]:
    """Fit each baseline that is not left out with each setting, and keep the best on validation.

    Settings are tried side by side, on one thread each, where several of them fit into memory.

    Raises:
        InputError: the data have no user that `baselines_chosen_by` could be computed for.
    """
    from threadpoolctl import threadpool_limits

    absent = left_out(config, data)
    at_once = min(cores_here(), max(MOST_CELLS // data.items**2, 1))
    for system, baseline in candidates(config, seed, threads=1 if at_once > 1 else 0).items():
        if system in absent:
            continue
        best: Chosen | None = None
        best_setting, chosen_by, tried = "", "", {}

        def evaluated(fit: Fit, system: str = system) -> Chosen:
            scorer = fit(data)
            return Chosen(system, scorer, evaluate_split(scorer, data, "valid"))

        with threadpool_limits(1 if at_once > 1 else None), ThreadPoolExecutor(at_once) as pool:
            found = pool.map(evaluated, baseline.settings.values())
            for setting, chosen in zip(baseline.settings, found, strict=True):
                chosen_by = _figure(chosen.on_validation, baseline, config)
                tried[setting] = chosen.on_validation.value(chosen_by)
                if best is None or tried[setting] > tried[best_setting]:
                    best, best_setting = chosen, setting
        assert best is not None
        yield (
            best,
            [Tried(system, setting, chosen_by, value, setting == best_setting) for setting, value in tried.items()],
        )


def _figure(evaluated: Evaluated, baseline: Baseline, config: BaselineConfig) -> str:
    """The baseline's own figure, or that of the settings where no user has the candidates for it."""
    for name in (baseline.chosen_by, config.baselines_chosen_by):
        if not isnan(evaluated.value(name)):
            return name
    raise InputError(
        f"baselines_chosen_by: found {config.baselines_chosen_by}, which no user of the validation split has "
        "the candidates for; expected a figure of ranking"
    )


def _bind(fit: Callable[..., Scorer], *arguments: object) -> Fit:
    return lambda data: fit(data, *arguments)
