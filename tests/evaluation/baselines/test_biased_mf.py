from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.data.dataset import Dataset
from pipeline.evaluation.baselines import biased_mf
from pipeline.evaluation.baselines.biased_mf import BiasedMf
from pipeline.evaluation.metrics.evaluated import evaluate_split
from tests.evaluation.worlds import dataset, planted_dataset, random_dataset, random_rows, without_ties

USERS, ITEMS = 12, 30
UNRATED = 4


def data_with_an_unrated_item() -> Dataset:
    rows = [row for row in random_rows(USERS, ITEMS, 0.5, 0) if row["item"] != UNRATED or row["split"] != "train"]
    return dataset(rows, [], USERS, ITEMS)


def loss(model: BiasedMf, data: Dataset, regularization: float) -> float:
    """What is minimised, rating by rating."""
    pairs, ratings = data.train_ratings
    error = 0.0
    for user, item, rating in zip(pairs.users, pairs.items, ratings, strict=True):
        product = sum(a * b for a, b in zip(model.user_factors[user], model.item_factors[item], strict=True))
        error += (rating - model.mean - model.user_bias[user] - model.item_bias[item] - product) ** 2
    parts = (model.user_factors, model.user_bias, model.item_factors, model.item_bias)
    return float(error + regularization * sum((part**2).sum() for part in parts))


@pytest.mark.parametrize(("factors", "regularization"), [(1, 0.5), (3, 4.0)])
def test_items_solve_their_own_regressions_given_the_users(factors, regularization) -> None:
    data = data_with_an_unrated_item()
    model = BiasedMf.fit(data, factors, regularization, iterations=3, seed=0)
    pairs, ratings = data.train_ratings
    assert model.mean == pytest.approx(sum(ratings) / len(ratings))
    for item in range(ITEMS):
        its = np.flatnonzero(pairs.items == item)
        users = pairs.users[its]
        features = np.array([[*model.user_factors[user], 1.0] for user in users]).reshape(len(its), factors + 1)
        target = ratings[its] - model.mean - model.user_bias[users]
        # Ridge regression as ordinary least squares with rows added, one for each penalised number.
        padded = np.r_[features, np.sqrt(regularization) * np.eye(factors + 1)]
        solved = np.linalg.lstsq(padded, np.r_[target, np.zeros(factors + 1)], rcond=None)[0]
        np.testing.assert_allclose([*model.item_factors[item], model.item_bias[item]], solved, atol=1e-9)


def test_at_convergence_no_step_lowers_the_loss() -> None:
    data, regularization = data_with_an_unrated_item(), 2.0
    model = BiasedMf.fit(data, 2, regularization, iterations=300, seed=0)
    reached = loss(model, data, regularization)
    random = np.random.default_rng(0)
    for size in (1e-1, 1e-2, 1e-3):
        for name in ("user_factors", "user_bias", "item_factors", "item_bias"):
            part = getattr(model, name)
            moved = BiasedMf(model.mean, model.user_factors, model.user_bias, model.item_factors, model.item_bias)
            setattr(moved, name, part + random.normal(scale=size, size=part.shape))
            assert reached < loss(moved, data, regularization)


@settings(max_examples=15, deadline=None)
@given(
    seed=st.integers(0, 100), factors=st.integers(1, 4), regularization=st.floats(0.1, 20), iterations=st.integers(1, 4)
)
def test_every_round_lowers_the_loss(seed, factors, regularization, iterations) -> None:
    data = random_dataset(10, 12, 0.6, seed)
    before, after = (
        BiasedMf.fit(data, factors, regularization, rounds, seed) for rounds in (iterations, iterations + 1)
    )
    assert loss(after, data, regularization) <= loss(before, data, regularization) * (1 + 1e-12)


def test_a_score_is_the_sum_of_mean_biases_and_product() -> None:
    model = BiasedMf.fit(random_dataset(USERS, ITEMS), 3, 1.0, 4, 0)
    scores = model.score(np.array([7, 2]))
    assert scores.shape == (2, ITEMS)
    assert scores.dtype == np.float32
    for row, user in enumerate((7, 2)):
        for item in range(ITEMS):
            product = sum(a * b for a, b in zip(model.user_factors[user], model.item_factors[item], strict=True))
            expected = model.mean + model.user_bias[user] + model.item_bias[item] + product
            assert scores[row, item] == pytest.approx(expected, abs=1e-5)


def test_an_unrated_item_has_the_mean_and_the_users_bias() -> None:
    model = BiasedMf.fit(data_with_an_unrated_item(), 3, 1.0, 4, 0)
    np.testing.assert_allclose(model.score(np.arange(USERS))[:, UNRATED], model.mean + model.user_bias, rtol=1e-6)


def test_without_ratings_likes_are_the_values() -> None:
    rows = [row | {"rating": None} for row in random_rows(USERS, ITEMS, 0.5, 0)]
    as_ratings = [row | {"rating": float(row["like"])} for row in rows]
    users = np.arange(USERS)
    likes, ratings = (
        BiasedMf.fit(dataset(part, [], USERS, ITEMS), 2, 1.0, 3, 0).score(users) for part in (rows, as_ratings)
    )
    np.testing.assert_array_equal(likes, ratings)


def test_the_same_seed_gives_the_same_factors_and_another_one_does_not() -> None:
    data, users = random_dataset(USERS, ITEMS), np.arange(USERS)
    first, again, other = (BiasedMf.fit(data, 2, 0.5, 3, seed).score(users) for seed in (3, 3, 4))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_blocks_of_rows_change_nothing(monkeypatch) -> None:
    data, users = random_dataset(USERS, ITEMS), np.arange(USERS)
    whole = BiasedMf.fit(data, 3, 1.0, 3, 0).score(users)
    monkeypatch.setattr(biased_mf, "BLOCK_ROWS", 5)
    np.testing.assert_allclose(BiasedMf.fit(data, 3, 1.0, 3, 0).score(users), whole, rtol=1e-6)


def test_it_finds_planted_tastes_that_biases_alone_cannot_tell() -> None:
    data = planted_dataset()
    found, random = (
        evaluate_split(scorer, data, "test") for scorer in (BiasedMf.fit(data, 2, 1.0, 10, 0), without_ties(40, 60, 0))
    )
    assert found.value("impression.user_auc") > 0.95
    assert random.value("impression.user_auc") < 0.65
