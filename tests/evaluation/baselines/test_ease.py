from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_matrix

from pipeline.data.dataset import Dataset
from pipeline.evaluation.baselines.ease import Ease, EaseByUsers, fit_ease
from pipeline.evaluation.baselines.item_weights import neighbour_weights
from tests.evaluation.worlds import dataset, random_dataset, random_rows

USERS, ITEMS = 30, 20
UNLIKED = (3, 19)


def data_with_unliked_items() -> Dataset:
    rows = random_rows(USERS, ITEMS, 0.5, 0)
    return dataset([row for row in rows if row["item"] not in UNLIKED or not row["like"]], [], USERS, ITEMS)


@pytest.mark.parametrize("l2", [1.0, 50.0])
def test_it_is_the_closed_form_over_all_items_those_without_a_like_included(l2) -> None:
    data = data_with_unliked_items()
    likes = data.train_likes.toarray().astype(np.float64)
    inverse = np.linalg.inv(likes.T @ likes + l2 * np.eye(ITEMS))
    weights = np.array(
        [[0.0 if i == j else -inverse[i, j] / inverse[j, j] for j in range(ITEMS)] for i in range(ITEMS)]
    )
    users = np.array([0, 29, 4])
    np.testing.assert_allclose(Ease.fit(data, l2).score(users), likes[users] @ weights, atol=1e-5)
    assert not likes[:, UNLIKED].any()


def test_no_other_weights_with_a_zero_diagonal_fit_better() -> None:
    data, l2 = data_with_unliked_items(), 20.0
    model = Ease.fit(data, l2)
    likes = data.train_likes.toarray().astype(np.float64)[:, model.rated]
    weights = model.weights.astype(np.float64)

    def loss(weights: np.ndarray) -> float:
        return float(((likes - likes @ weights) ** 2).sum() + l2 * (weights**2).sum())

    np.testing.assert_array_equal(np.diag(weights), 0.0)
    random = np.random.default_rng(0)
    for _ in range(20):
        step = random.normal(size=weights.shape) * 1e-2
        np.fill_diagonal(step, 0.0)
        assert loss(weights) < loss(weights + step)
    gradient = likes.T @ (likes @ weights - likes) + l2 * weights
    np.fill_diagonal(gradient, 0.0)
    np.testing.assert_allclose(gradient, 0.0, atol=1e-3)


@pytest.mark.parametrize("dislike_weight", [-0.75, 0.25, 1.0])
def test_it_is_the_closed_form_of_likes_and_weighted_dislikes(dislike_weight) -> None:
    data, l2 = data_with_unliked_items(), 10.0
    weighted = data.train_likes.toarray().astype(np.float64) + dislike_weight * data.train_dislikes.toarray()
    assert (weighted == dislike_weight).sum() > 20
    inverse = np.linalg.inv(weighted.T @ weighted + l2 * np.eye(ITEMS))
    weights = np.array(
        [[0.0 if i == j else -inverse[i, j] / inverse[j, j] for j in range(ITEMS)] for i in range(ITEMS)]
    )
    users = np.array([0, 29, 4])
    found = Ease.fit(data, l2, dislike_weight)
    np.testing.assert_allclose(found.score(users), weighted[users] @ weights, atol=1e-5)
    # Items with nothing but dislikes take part, and get scores.
    assert set(UNLIKED) <= set(found.rated.tolist())


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 100), l2=st.floats(0.1, 1000))
def test_dislikes_of_no_weight_are_left_out(seed, l2) -> None:
    data, users = random_dataset(15, 12, 0.5, seed), np.arange(15)
    likes_only = dataset(
        [row for row in random_rows(15, 12, 0.5, seed) if row["like"] or row["split"] != "train"], [], 15, 12
    )
    plain, unweighted = Ease.fit(likes_only, l2), Ease.fit(data, l2, 0.0)
    np.testing.assert_array_equal(plain.rated, unweighted.rated)
    np.testing.assert_array_equal(plain.score(users), unweighted.score(users))
    np.testing.assert_array_equal(plain.score(users), Ease.fit(data, l2).score(users))
    if data.train_dislikes.nnz:
        assert not np.array_equal(plain.score(users), Ease.fit(data, l2, 0.5).score(users))


@settings(max_examples=30, deadline=None, derandomize=True)
@given(
    seed=st.integers(0, 1000),
    users=st.integers(2, 20),
    items=st.integers(3, 20),
    l2=st.sampled_from([0.1, 10.0, 5000.0]),
    weight=st.sampled_from([0.0, 0.5, -0.5]),
)
def test_scores_by_users_are_those_of_the_weights(seed: int, users: int, items: int, l2: float, weight: float) -> None:
    data, everybody = random_dataset(users, items, 0.5, seed), np.arange(users)
    found = EaseByUsers.fit(data, l2, weight)
    np.testing.assert_allclose(found.score(everybody), Ease.fit(data, l2, weight).score(everybody), atol=2e-6)
    np.testing.assert_array_equal(found.score(everybody[::-1]), found.score(everybody)[::-1])


def test_of_many_items_scores_are_those_of_neighbours() -> None:
    data, users = random_dataset(30, 15, 0.5, 0), np.array([4, 0, 29])
    history = data.train_likes.toarray() + 0.5 * data.train_dislikes.toarray()
    weights = neighbour_weights(csr_matrix(history), 10.0, 4).toarray()
    assert (weights != 0).sum(axis=0).max() == 4
    few = fit_ease(data, 10.0, 0.5, max_items=14, neighbours=4)
    np.testing.assert_allclose(few.score(users), history[users] @ weights, atol=1e-5)
    every = fit_ease(data, 10.0, 0.5, max_items=14, neighbours=15)
    np.testing.assert_allclose(every.score(users), fit_ease(data, 10.0, 0.5).score(users), atol=1e-5)
    assert isinstance(fit_ease(data, 10.0, 0.5, max_items=15, neighbours=4).weights, np.ndarray)


def test_the_smaller_matrix_is_inverted() -> None:
    assert isinstance(fit_ease(random_dataset(15, 30, 0.5, 0), 10.0), EaseByUsers)
    assert isinstance(fit_ease(random_dataset(30, 15, 0.5, 0), 10.0), Ease)


def test_the_graph_is_stacked_under_the_ratings_weighted_by_rarity() -> None:
    data, l2, graph, users = data_with_unliked_items(), 10.0, 3.0, np.arange(USERS)
    assert data.entities is not None
    around, features = data.entities.toarray(), np.zeros((ITEMS, data.entities.shape[1]))
    having = around.sum(axis=0)
    for item in range(ITEMS):
        weights = [
            np.log(ITEMS / n) if has and 1 < n < ITEMS else 0.0 for has, n in zip(around[item], having, strict=True)
        ]
        features[item] = np.array(weights) / (np.linalg.norm(weights) or 1.0)
    likes = data.train_likes.toarray().astype(np.float64)
    stacked = np.vstack([likes, np.sqrt(graph) * features.T])
    inverse = np.linalg.inv(stacked.T @ stacked + l2 * np.eye(ITEMS))
    weights = -inverse / np.diag(inverse)
    np.fill_diagonal(weights, 0.0)
    found = fit_ease(data, l2, graph=graph).score(users)
    np.testing.assert_allclose(found, likes @ weights, atol=1e-5)
    assert np.abs(found[:, UNLIKED]).max() > 0.01
    assert not fit_ease(data, l2).score(users)[:, UNLIKED].any()
    many = fit_ease(data, l2, graph=graph, max_items=ITEMS - 1, neighbours=ITEMS)
    np.testing.assert_allclose(many.score(users), found, atol=1e-5)


def test_with_a_graph_items_that_only_it_knows_count_as_well() -> None:
    data = data_with_unliked_items()
    few = fit_ease(data, 10.0, max_items=ITEMS - 2, neighbours=2)
    assert isinstance(few.weights, np.ndarray)
    assert isinstance(fit_ease(data, 10.0, max_items=ITEMS - 2, neighbours=2, graph=1.0).weights, csr_matrix)
