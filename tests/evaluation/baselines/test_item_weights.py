"""EASE's item-to-item weights against what defines them: the best with a zero diagonal."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_matrix

from pipeline.evaluation.baselines import item_weights as module
from pipeline.evaluation.baselines.item_weights import item_weights, neighbour_weights, stacked

Array = np.ndarray[Any, Any]


def gradient(dense: Array, weights: Array, l2: float) -> Array:
    """Half the gradient of ||X - X B||^2 + l2 ||B||^2 by B."""
    result: Array = dense.T @ (dense @ weights - dense) + l2 * weights
    return result


def ratings(seed: int, users: int, items: int, signed: bool) -> Array:
    random = np.random.default_rng(seed)
    dense = (random.random((users, items)) < 0.4).astype(np.float64)
    return dense - 0.5 * (random.random((users, items)) < 0.2) if signed else dense


@settings(deadline=None, max_examples=40, derandomize=True)
@given(st.integers(0, 1000), st.integers(1, 12), st.integers(1, 9), st.sampled_from([0.5, 10.0, 300.0]), st.booleans())
def test_off_the_diagonal_the_objective_is_flat_and_on_it_the_weights_are_zero(
    seed: int, users: int, items: int, l2: float, signed: bool
) -> None:
    dense = ratings(seed, users, items, signed)
    weights = item_weights(csr_matrix(dense), l2).astype(np.float64)
    np.testing.assert_array_equal(np.diag(weights), 0)
    off = ~np.eye(items, dtype=bool)
    np.testing.assert_allclose(gradient(dense, weights, l2)[off], 0, atol=1e-4)


def test_it_is_the_closed_form_and_each_column_is_a_ridge_regression_on_the_other_items() -> None:
    random = np.random.default_rng(1)
    dense, l2 = (random.random((30, 6)) < 0.5).astype(np.float64), 4.0
    weights = item_weights(csr_matrix(dense), l2)
    inverse = np.linalg.inv(dense.T @ dense + l2 * np.eye(6))
    for column in range(6):
        others = [item for item in range(6) if item != column]
        rest = dense[:, others]
        ridge = np.linalg.solve(rest.T @ rest + l2 * np.eye(5), rest.T @ dense[:, column])
        np.testing.assert_allclose(weights[others, column], ridge, atol=1e-6)
        np.testing.assert_allclose(
            weights[others, column], -inverse[others, column] / inverse[column, column], atol=1e-6
        )


@settings(deadline=None, max_examples=40, derandomize=True)
@given(
    st.integers(0, 1000),
    st.integers(1, 9),
    st.integers(2, 8),
    st.integers(1, 6),
    st.sampled_from([0.0, 0.1, 3.0, 100.0]),
)
def test_with_features_stacked_under_the_ratings_each_column_fits_both_best(
    seed: int, users: int, items: int, features: int, weight: float
) -> None:
    random, l2 = np.random.default_rng(seed), 2.0
    dense, of_items = (random.random((users, items)) < 0.4).astype(np.float64), random.normal(size=(items, features))
    found = item_weights(stacked(csr_matrix(dense), csr_matrix(of_items), weight), l2)
    for column in range(items):
        others = np.arange(items) != column
        # ||x - X b||^2 + weight ||f - F b||^2 + l2 ||b||^2 as one least squares, solved by QR and not by a Gram matrix.
        rows = np.vstack([dense, weight**0.5 * of_items.T, l2**0.5 * np.eye(items)])
        expected = np.linalg.lstsq(
            rows[:, others], np.where(np.arange(len(rows)) < users + features, rows[:, column], 0.0)
        )[0]
        np.testing.assert_allclose(found[others, column], expected, atol=1e-5)
        assert found[column, column] == 0


def test_items_that_nobody_rated_have_no_weights_and_change_none() -> None:
    dense = (np.random.default_rng(2).random((20, 5)) < 0.5).astype(np.float64)
    with_unrated = np.insert(dense, [0, 3], 0.0, axis=1)
    weights = item_weights(csr_matrix(with_unrated), 2.0)
    assert weights.shape == (7, 7)
    rated = [1, 2, 3, 5, 6]
    np.testing.assert_array_equal(weights[np.ix_(rated, rated)], item_weights(csr_matrix(dense), 2.0))
    assert not weights[[0, 4]].any()
    assert not weights[:, [0, 4]].any()


@pytest.mark.parametrize("users", [0, 3])
def test_without_any_rating_there_are_only_zeros(users: int) -> None:
    weights = item_weights(csr_matrix((users, 4), dtype=np.float32), 2.0)
    assert weights.shape == (4, 4)
    assert not weights.any()


@settings(deadline=None, max_examples=30, derandomize=True)
@given(st.integers(0, 1000), st.integers(1, 12), st.integers(2, 9), st.sampled_from([0.5, 300.0]), st.booleans())
def test_with_all_others_as_neighbours_weights_are_those_of_ease(
    seed: int, users: int, items: int, l2: float, signed: bool
) -> None:
    dense = ratings(seed, users, items, signed)
    history = csr_matrix(dense)
    found = neighbour_weights(history, l2, items)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found.toarray(), item_weights(history, l2), atol=1e-6)


@pytest.mark.parametrize("cells", [1, 4_000_000])
@pytest.mark.parametrize("neighbours", [1, 3, 7])
def test_a_column_is_the_ridge_regression_on_the_items_most_often_rated_with_it(
    neighbours: int, cells: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BATCH_CELLS", cells)
    random = np.random.default_rng(3)
    dense = (random.random((40, 12)) < 0.15).astype(np.float64) - 0.5 * (random.random((40, 12)) < 0.1)
    dense[:, 4] = 0
    gram, l2 = dense.T @ dense, 2.0
    weights = neighbour_weights(csr_matrix(dense), l2, neighbours).toarray()
    widths = set()
    for item in range(12):
        others = [other for other in range(12) if other != item and gram[other, item]]
        chosen = sorted(others, key=lambda other: (-abs(gram[other, item]), other))[:neighbours]
        expected = np.zeros(12)
        if chosen:
            rest = dense[:, chosen]
            expected[chosen] = np.linalg.solve(rest.T @ rest + l2 * np.eye(len(chosen)), rest.T @ dense[:, item])
        np.testing.assert_allclose(weights[:, item], expected, atol=1e-6)
        widths.add(len(chosen))
    assert {0, neighbours} <= widths


@pytest.mark.parametrize("users", [0, 3])
def test_without_any_rating_neighbours_have_no_weights(users: int) -> None:
    for neighbours in (2, 3):
        assert not neighbour_weights(csr_matrix((users, 4), dtype=np.float32), 2.0, neighbours).toarray().any()
