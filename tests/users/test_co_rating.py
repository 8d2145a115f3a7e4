"""Which items are rated together: cross-fitted weights, and what they do not know."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from pipeline.evaluation.baselines.item_weights import item_weights
from pipeline.users.co_rating import FOLDS, fit_co_rating

USERS, ITEMS, L2 = 43, 12, 5.0


def matrices(seed: int = 0) -> dict[str, csr_matrix]:
    random = np.random.default_rng(seed)
    return {
        name: csr_matrix((random.random((USERS, ITEMS)) < share).astype(np.float32))
        for name, share in (("likes", 0.4), ("dislikes", 0.2))
    }


def test_the_whole_is_fitted_to_all_users_of_each_view() -> None:
    given = matrices()
    found = fit_co_rating(given, L2, 1)
    assert found.whole.keys() == given.keys()
    for view, weights in found.whole.items():
        np.testing.assert_array_equal(weights, item_weights(given[view], L2))
        assert weights.dtype == np.float32
    assert not np.array_equal(found.whole["likes"], found.whole["dislikes"])


def test_every_user_is_in_one_of_five_even_folds_and_their_weights_are_fitted_to_the_others() -> None:
    given = matrices()
    found = fit_co_rating(given, L2, 1)
    assert sorted(np.bincount(found.fold)) == [8, 8, 9, 9, 9]
    assert len(found.without) == FOLDS == 5
    for number, views in enumerate(found.without):
        for view, weights in views.items():
            np.testing.assert_array_equal(weights, item_weights(given[view][found.fold != number], L2))
            assert not np.diag(weights).any()


@pytest.mark.parametrize("number", range(FOLDS))
def test_what_a_users_weights_are_does_not_depend_on_the_ratings_of_the_users_fold(number: int) -> None:
    given = matrices()
    found = fit_co_rating(given, L2, 1)
    changed = {}
    for view, matrix in given.items():
        dense = matrix.toarray()
        mine = found.fold == number
        dense[mine] = 1 - dense[mine]
        changed[view] = csr_matrix(dense)
    again = fit_co_rating(changed, L2, 1)
    np.testing.assert_array_equal(again.fold, found.fold)
    for view in given:
        np.testing.assert_array_equal(again.without[number][view], found.without[number][view])
        assert not np.array_equal(again.whole[view], found.whole[view])
        for other in set(range(FOLDS)) - {number}:
            assert not np.array_equal(again.without[other][view], found.without[other][view])


def test_the_seed_draws_the_folds() -> None:
    first, again, other = (fit_co_rating(matrices(), L2, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.fold, again.fold)
    assert not np.array_equal(first.fold, other.fold)
    # Not the users' order either: neighbours in the table are often neighbours in time.
    assert not np.array_equal(first.fold, np.arange(USERS) % FOLDS)


def test_a_few_users_leave_folds_empty() -> None:
    found = fit_co_rating({"likes": matrices()["likes"][:3]}, L2, 1)
    assert len(found.without) == FOLDS
    assert all(np.isfinite(views["likes"]).all() for views in found.without)


@pytest.mark.parametrize("graph", [0.0, 0.1, 2.0])
def test_each_column_also_explains_what_is_around_the_items_in_every_fold_alike(graph: float) -> None:
    """Against stacked least squares in float64, a column at a time, without the item itself."""
    given, random = matrices(), np.random.default_rng(3)
    given["likes"] = csr_matrix(given["likes"].toarray() * (np.arange(ITEMS) != 4))  # that nobody likes
    around = random.normal(size=(ITEMS, 7))
    found = fit_co_rating(given, L2, 1, csr_matrix(around), graph)
    every = np.ones(USERS, dtype=bool)
    fits = [(every, found.whole), *((found.fold != number, found.without[number]) for number in range(FOLDS))]
    for users, views in fits:
        for view, weights in views.items():
            known = np.vstack([given[view].toarray()[users].astype(np.float64), (graph * L2) ** 0.5 * around.T])
            for column in range(ITEMS):
                others = np.arange(ITEMS) != column
                rows = np.vstack([known[:, others], L2**0.5 * np.eye(ITEMS - 1)])
                expected = np.linalg.lstsq(rows, np.r_[known[:, column], np.zeros(ITEMS - 1)])[0]
                np.testing.assert_allclose(weights[others, column], expected, atol=1e-5)
                assert weights[column, column] == 0
    assert found.whole["likes"][:, 4].any() == (graph > 0)
