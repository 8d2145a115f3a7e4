"""Scores by vectors are those of the model's own heads, whichever model it is."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
import torch

from pipeline.data.dataset import Dataset
from pipeline.evaluation.metrics.evaluated import evaluate_split
from pipeline.users import coordinates as user_coordinates
from pipeline.users import trained as module
from pipeline.users.coordinates import HeadSum, ScoredByVectors, item_bias, why_no_vectors
from pipeline.users.histories import Histories, histories, read_by
from pipeline.users.model import Model
from pipeline.users.shares import view_shares
from pipeline.users.trained import TrainedModel
from tests.evaluation.worlds import random_dataset
from tests.users.test_trained import ITEMS, USERS, VARIANTS, arrays_of, config

ALL = VARIANTS | {"sum-of-both": config(attention="none"), "merged-likes": config(attention="none", views="merged")}
WITH = [
    name
    for name, variant in ALL.items()
    if not variant.co_rating_l2 and variant.attention != "candidate" and not variant.terms
]


@pytest.fixture(scope="module")
def data() -> Dataset:
    return random_dataset(USERS, ITEMS)


def trained(name: str, data: Dataset) -> TrainedModel:
    return TrainedModel(Model.from_arrays(arrays_of(ALL[name], data), ALL[name], data.items), data)


def by_unit_vectors(model: Model, likes: Histories, dislikes: Histories, shares: dict[str, float]) -> torch.Tensor:
    """Users' coordinates in a sum of heads, view by view and head by head: the scores of candidates that are unit vectors."""
    width = model.items.shape[1]
    total = torch.zeros(len(likes.lengths), width)
    for name, view in model.scorer.each_view().items():
        scores = view.scores(torch.eye(width), model.items, read_by(name, likes, dislikes))
        for head, share in view_shares(model, name, shares).items():
            total += scores[head] * share
    return total


@pytest.mark.parametrize("name", WITH)
def test_both_questions_are_answered_as_the_heads_answer_them(
    name: str, data: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, users = trained(name, data), np.array([11, 0, 5, 2])
    expected = model.score(users)
    # Three blocks, the last of them not full.
    monkeypatch.setattr(user_coordinates, "BLOCK_USERS", 5)
    found = ScoredByVectors(model.model, data).score(users)
    row, column = np.indices(expected.preference.shape).reshape(2, -1)
    for ours, theirs in zip(found, expected, strict=True):
        cells = ours[row, column]
        assert cells.dtype == np.float32
        np.testing.assert_allclose(cells, theirs[row, column], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", WITH)
def test_others_than_those_of_whom_figures_are_have_scores_too(name: str, data: Dataset) -> None:
    whole, some = trained(name, data).model, copy.copy(data)
    some.evaluated = np.array([0, 5])
    scored = ScoredByVectors(whole, some)
    for users in (np.array([11, 0, 5, 2]), np.array([5, 0]), np.array([USERS - 1])):
        found, expected = scored.score(users), ScoredByVectors(whole, data).score(users)
        row, column = np.indices(expected.preference.shape).reshape(2, -1)
        for ours, theirs in zip(found, expected, strict=True):
            np.testing.assert_allclose(ours[row, column], theirs[row, column], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", WITH)
def test_a_sum_of_heads_has_the_shares_that_it_is_given(name: str, data: Dataset) -> None:
    model, users = trained(name, data).model, np.arange(USERS)
    shares = {head: 0.5 - place for place, head in enumerate(model.scorer.heads)}
    with torch.inference_mode():
        both = [histories(matrix, users, "cpu") for matrix in (data.train_likes, data.train_dislikes)]
        by_head = model.scorer(model.items, *both)
        summed = HeadSum(model, shares)
        found = summed.users(summed.weighed(*both))
        assert found is not None
        torch.testing.assert_close(found, by_unit_vectors(model, *both, shares), rtol=1e-4, atol=1e-5)
        expected = sum(share * by_head[head] for head, share in shares.items())
        torch.testing.assert_close(found @ model.items.T + item_bias(model, shares), expected, rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(summed.scores(found), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", ALL)
def test_a_large_catalogue_is_scored_by_vectors_where_there_are_any_with_the_same_figures(
    name: str, data: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Any] = []

    class Watched(ScoredByVectors):
        def __init__(self, model: Model, data: Dataset) -> None:
            made.append(model)
            super().__init__(model, data)

    monkeypatch.setattr(module, "ScoredByVectors", Watched)
    small = evaluate_split(trained(name, data), data, "test")
    assert made == []
    monkeypatch.setattr(module, "BY_VECTORS_FROM", ITEMS)
    model = trained(name, data)
    large = evaluate_split(model, data, "test")
    assert len(made) == (why_no_vectors(model.model) is None)
    assert large.per_user.keys() == small.per_user.keys()
    for key, values in small.per_user.items():
        np.testing.assert_allclose(large.per_user[key].values, values.values)
