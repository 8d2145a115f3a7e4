"""Shares of the heads and of item-to-item weights against a search that tries every one of them and looks at all figures."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from pipeline.data.dataset import Dataset
from pipeline.evaluation.metrics.evaluated import evaluate_split
from pipeline.evaluation.metrics.validation import FIGURES
from pipeline.evaluation.protocols import split
from pipeline.users import found_shares as module
from pipeline.users.found_shares import CO_RATING_SHARES, SHARES, found_shares
from pipeline.users.model import Model
from pipeline.users.settings import VariantConfig
from pipeline.users.trained import TrainedModel, Unmixed
from tests.evaluation.worlds import dataset, random_rows, unrated_rows
from tests.users.test_trained import ITEMS, arrays_of, config

USERS = 30
SET = {"co_rating_share": 0.7, "judge_share": 0.45, "ranking_share": 0.05}


def data_of(liking: bool = False) -> Dataset:
    rows = random_rows(USERS, ITEMS, 0.5, 2)
    if liking:
        rows = [row | {"like": True, "rating": 5.0} for row in rows]
    return dataset(rows, unrated_rows(rows, USERS, ITEMS, 2), USERS, ITEMS)


def model_of(variant: VariantConfig, data: Dataset, seed: int = 0) -> Model:
    """What its parts say is chance, so that each share may be the best."""
    model = Model.from_arrays(arrays_of(variant, data), variant, ITEMS)
    torch.manual_seed(seed)
    model = replace(model, items=torch.randn(ITEMS, model.items.shape[1]))
    return model if model.co_rating is None else replace(model, co_rating=0.3 * torch.randn(ITEMS, ITEMS))


def figures(model: Model, data: Dataset, **shares: float) -> tuple[float, float]:
    """By what the shares of a ranking are chosen, and that of a judgement."""
    found = evaluate_split(TrainedModel(replace(model, **shares), data), data, "valid")
    ranked = found.value("ctr.user_auc") + found.value("ranking.ndcg@10")
    return ranked, found.value("impression.ndcg@10")


def best(values: dict[float, float]) -> float:
    """The first of the largest, in the order in which they are tried."""
    return max(values, key=values.__getitem__)


@pytest.mark.parametrize("co_rating", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_each_share_is_the_one_that_validation_prefers(seed: int, co_rating: bool) -> None:
    variant, data = config(co_rating_l2=10.0 * co_rating, **SET), data_of()
    model = model_of(variant, data, seed)
    expected = dict(SET)
    if co_rating:
        expected["co_rating_share"] = best(
            {share: figures(model, data, **SET | {"co_rating_share": share})[0] for share in (0.7, *CO_RATING_SHARES)}
        )
    # Beside the share of item-to-item weights that was found.
    expected |= {
        "judge_share": best(
            {
                share: figures(model, data, **expected | {"judge_share": share})[0]
                for share in (0.45, *(one for one, _ in SHARES))
            }
        ),
        "ranking_share": best(
            {
                share: figures(model, data, **expected | {"ranking_share": share})[1]
                for share in (0.05, *(one for _, one in SHARES))
            }
        ),
    }
    found = found_shares(model, variant, data)
    assert {name: getattr(found, name) for name in SET} == expected
    assert found.model_copy(update=SET) == variant
    # What was handed in is as it was.
    assert {name: getattr(model, name) for name in SET} == SET


@pytest.mark.parametrize(
    ("changes", "liking", "looks"),
    [
        ({"co_rating_l2": 10.0}, False, 1 + len(CO_RATING_SHARES) + 1 + len(SHARES)),
        ({}, False, 1 + len(SHARES)),
        ({"co_rating_l2": 10.0, "heads": ["meet"]}, False, 1 + len(CO_RATING_SHARES)),
        # Where nothing is disliked heads are not mixed.
        ({"co_rating_l2": 10.0, "heads": ["like", "judge"], "views": "likes"}, True, 1 + len(CO_RATING_SHARES)),
        ({"heads": ["like", "judge"], "views": "likes"}, True, 0),
        ({"heads": ["meet"]}, False, 0),
    ],
    ids=["both", "heads", "item weights", "item weights of likes", "likes", "one head"],
)
@pytest.mark.parametrize("figure", [0.5, math.nan])
def test_where_nothing_is_better_what_was_set_is_kept_and_only_what_the_model_has_is_tried(
    changes: dict[str, Any], liking: bool, looks: int, figure: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    variant, data, seen = config(**SET | changes), data_of(liking), []

    def look(scorers: list[TrainedModel], of: Dataset) -> list[dict[str, float]]:
        assert of is data
        seen.extend(scorer.model for scorer in scorers)
        return [dict.fromkeys(FIGURES, figure) for _ in scorers]

    monkeypatch.setattr(module, "figures_side_by_side", look)
    assert found_shares(model_of(variant, data), variant, data) == variant
    assert len(seen) == looks
    if seen:
        assert {name: getattr(seen[0], name) for name in SET} == SET


def test_a_figure_that_cannot_be_made_leaves_the_other_shares_to_be_found(monkeypatch: pytest.MonkeyPatch) -> None:
    variant, data = config(co_rating_l2=10.0, **SET), data_of()

    def look(scorers: list[TrainedModel], _: Dataset) -> list[dict[str, float]]:
        ranked = [-abs(one.model.co_rating_share - 4.0) - abs(one.model.judge_share - 0.3) for one in scorers]
        return [{"ctr.user_auc": one, "ranking.ndcg@10": 0.0, "impression.ndcg@10": math.nan} for one in ranked]

    monkeypatch.setattr(module, "figures_side_by_side", look)
    found = found_shares(model_of(variant, data), variant, data)
    expected = {"co_rating_share": 4.0, "judge_share": 0.3, "ranking_share": 0.05}
    assert {name: getattr(found, name) for name in SET} == expected


def test_heads_and_item_weights_are_scored_once_for_all_shares_of_a_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    variant, data = config(co_rating_l2=10.0, **SET), data_of()
    monkeypatch.setattr(split, "BLOCK_CELLS", 7 * ITEMS)
    asked, unmixed = [], TrainedModel.unmixed

    def counting(self: TrainedModel, users: NDArray[np.int64]) -> Unmixed:
        asked.append(users.tolist())
        return unmixed(self, users)

    monkeypatch.setattr(TrainedModel, "unmixed", counting)
    found_shares(model_of(variant, data), variant, data)
    once = [list(range(start, min(start + 7, USERS))) for start in range(0, USERS, 7)]
    assert asked == 2 * once
