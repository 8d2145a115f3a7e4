"""Which items are rated together: the weights against stacked least squares, and what they say of people against loops."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from scipy.sparse import csr_matrix

from pipeline.common.errors import InputError
from pipeline.users import fit_co_rating as fitting
from pipeline.users.co_rating import (
    by_co_rating,
    read_co_rating,
    scores_by,
    weights_between,
)
from pipeline.users.fit_co_rating import fit_co_rating
from pipeline.users.names import READ_BY, Views
from tests.users.views.slow import ragged

Array = np.ndarray[Any, Any]
USERS, ITEMS, FEATURES = 43, 12, 7
# What a rating of each view is an interest of.
INTEREST = {"likes": 1.0, "dislikes": 0.5, "rated": 1.0}
VIEWS: list[Any] = list(READ_BY)


def matrices(views: Views, share: float = 0.4) -> dict[str, csr_matrix]:
    """Item 4 is rated by nobody. Nobody likes and dislikes an item."""
    random = np.random.default_rng(0)
    drawn = random.random((USERS, ITEMS))
    drawn[:, 4] = 1.0
    likes, dislikes = (drawn < share).astype(np.float32), ((drawn >= share) & (drawn < 1.5 * share)).astype(np.float32)
    of_view = {"likes": likes, "dislikes": dislikes, "rated": likes + dislikes}
    return {name: csr_matrix(of_view[name]) for name in READ_BY[views]}


def around() -> Array:
    return np.random.default_rng(3).normal(size=(ITEMS, FEATURES))


def slow_weights(rated: dict[str, csr_matrix], l2: float, features: Array, graph: float) -> Array:
    """Least squares in float64, a column at a time and without the item itself, over rows of users, of features and of the penalty."""
    items = len(features)
    history = sum(INTEREST[name] * matrix.toarray().astype(np.float64) for name, matrix in rated.items())
    ratings = sum(int((matrix.toarray() > 0).sum()) for matrix in rated.values())
    penalty = min(l2, 7 * ratings / items) if ratings else l2
    known = np.vstack([history, graph**0.5 * features.T])
    weights = np.zeros((items, items))
    for column in range(items):
        others = np.arange(items) != column
        rows = np.vstack([known[:, others], penalty**0.5 * np.eye(items - 1)])
        weights[others, column] = np.linalg.lstsq(rows, np.r_[known[:, column], np.zeros(items - 1)])[0]
    return weights


# The penalty of the latter two is more than seven times the ratings of an item.
@pytest.mark.parametrize(("l2", "share"), [(5.0, 0.4), (5000.0, 0.4), (5000.0, 0.1)])
@pytest.mark.parametrize("graph", [0.0, 0.3, 20.0])
@pytest.mark.parametrize("views", VIEWS)
def test_each_column_explains_an_item_by_the_others_and_what_is_around_it_as_well(
    views: Views, graph: float, l2: float, share: float
) -> None:
    rated = matrices(views, share)
    found = fit_co_rating(rated, l2, csr_matrix(around()), graph)["co_rating"]
    assert (found.dtype, found.shape) == (np.float32, (ITEMS, ITEMS))
    np.testing.assert_allclose(found, slow_weights(rated, l2, around(), graph), atol=1e-6)
    assert not np.diag(found).any()
    # The graph alone knows of an item that nobody rated.
    assert found[:, 4].any() == found[4].any() == (graph > 0)


def test_without_the_graph_nothing_around_items_is_needed() -> None:
    rated = matrices("both")
    found, without = (fit_co_rating(rated, 5.0, *graph)["co_rating"] for graph in ((), (csr_matrix(around()), 0.0)))
    np.testing.assert_array_equal(found, without)


@pytest.mark.parametrize("graph", [0.0, 2.0])
def test_where_nothing_is_rated_the_graph_has_all_the_weights(graph: float) -> None:
    nothing = {name: csr_matrix((USERS, ITEMS), dtype=np.float32) for name in ("likes", "dislikes")}
    found = fit_co_rating(nothing, 5.0, csr_matrix(around()), graph)["co_rating"]
    assert np.isfinite(found).all()
    assert found.any() == (graph > 0)


@pytest.mark.parametrize("views", VIEWS)
def test_a_like_counts_in_full_and_a_dislike_by_half_where_there_are_views_of_both(views: Views) -> None:
    likes, dislikes = [[0, 1, 2], [3], [], [8], []], [[4, 5], [], [6, 7, 8], [0], []]
    weights = np.random.default_rng(1).normal(size=(ITEMS, ITEMS))
    found = by_co_rating(torch.from_numpy(weights), READ_BY[views], ragged(likes), ragged(dislikes))
    of_dislike = {"both": 0.5, "likes": 0.0, "merged": 1.0}[views]
    expected = [
        [
            sum(weights[item, candidate] for item in liked)
            + of_dislike * sum(weights[item, candidate] for item in disliked)
            for candidate in range(ITEMS)
        ]
        for liked, disliked in zip(likes, dislikes, strict=True)
    ]
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("views", VIEWS)
def test_people_are_read_as_the_weights_were_fitted(views: Views) -> None:
    """X B of the very X that B explains."""
    rated = matrices(views)
    fitted = fit_co_rating(rated, 5.0)["co_rating"]
    history = sum(INTEREST[name] * matrix.toarray() for name, matrix in rated.items())
    of_views = matrices("both") | rated
    likes, dislikes = (
        ragged([np.flatnonzero(row).tolist() for row in of_views[name].toarray()]) for name in ("likes", "dislikes")
    )
    found = by_co_rating(torch.from_numpy(fitted), READ_BY[views], likes, dislikes)
    np.testing.assert_allclose(found.numpy(), history @ fitted, atol=1e-5)


def spread(entries: dict[str, Array]) -> Array:
    found = np.zeros((ITEMS, ITEMS))
    row, column = (entries[f"co_rating.{name}"].astype(int) for name in ("row", "column"))
    found[row, column] = entries["co_rating.value"]
    return found


@pytest.mark.parametrize("graph", [0.0, 0.3])
def test_with_all_others_as_neighbours_a_large_catalogue_has_the_weights_of_a_small_one(graph: float) -> None:
    rated, features = matrices("both"), csr_matrix(around())
    whole = fit_co_rating(rated, 5.0, features, graph)["co_rating"]
    sparse = fit_co_rating(rated, 5.0, features, graph, whole=False)
    assert all(values.dtype == np.float32 for values in sparse.values())
    np.testing.assert_allclose(spread(sparse), whole, atol=1e-6)


def test_of_a_large_catalogue_an_item_has_weights_of_its_neighbours_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Against ridge regression on the items most often rated by the same users, in float64."""
    monkeypatch.setattr(fitting, "NEIGHBOURS", 3)
    rated = matrices("both")
    found = spread(fit_co_rating(rated, 5.0, whole=False))
    history = sum(INTEREST[name] * matrix.toarray().astype(np.float64) for name, matrix in rated.items())
    gram = history.T @ history
    for item in range(ITEMS):
        others = np.flatnonzero(np.arange(ITEMS) != item)
        near = np.sort(others[np.argsort(-gram[item, others], kind="stable")][:3])
        near = near[gram[item, near] > 0]
        expected = np.zeros(ITEMS)
        expected[near] = np.linalg.solve(gram[np.ix_(near, near)] + 5.0 * np.eye(len(near)), gram[near, item])
        np.testing.assert_allclose(found[:, item], expected, atol=1e-6)


def test_what_joins_too_many_items_of_a_large_catalogue_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    features = np.zeros((ITEMS, 3))
    features[[0, 1, 2, 3, 5, 6], 0] = features[[7, 8], 1] = features[[9, 10, 11], 2] = 0.5
    nothing = {"likes": csr_matrix((USERS, ITEMS), dtype=np.float32)}
    for most, columns in ((49, [0, 1, 2]), (48, [1, 2]), (13, [1, 2]), (12, [1]), (3, [])):
        monkeypatch.setattr(fitting, "PAIRS_AT_MOST", most)
        found = spread(fit_co_rating(nothing, 5.0, csr_matrix(features), 2.0, whole=False))
        kept = np.zeros_like(features)
        kept[:, columns] = features[:, columns]
        np.testing.assert_allclose(found, slow_weights(nothing, 5.0, kept, 2.0), atol=1e-6)
        # Of a small catalogue everything counts.
        whole = fit_co_rating(nothing, 5.0, csr_matrix(features), 2.0)["co_rating"]
        np.testing.assert_allclose(whole, slow_weights(nothing, 5.0, features, 2.0), atol=1e-6)


@pytest.mark.parametrize("whole", [True, False])
def test_stored_weights_are_read_back_and_say_the_same_whole_or_sparse(whole: bool) -> None:
    rated = matrices("both")
    arrays = fit_co_rating(rated, 5.0, csr_matrix(around()), 0.3, whole)
    values = arrays["co_rating"] if whole else spread(arrays)
    weights = read_co_rating(arrays, ITEMS)
    assert isinstance(weights, torch.Tensor) == whole
    sets = [[0, 1, 2], [], [3, 11]]
    expected = np.array([values[items].sum(axis=0) for items in sets])
    np.testing.assert_allclose(scores_by(weights, ragged(sets)).numpy(), expected, atol=1e-6)
    items, candidates = torch.tensor([[[0, 5]], [[11, 4]]]), torch.tensor([[[1], [2], [0]], [[3], [11], [7]]])
    found = weights_between(weights, items, candidates)
    assert found.shape == (2, 3, 2)
    for place in np.ndindex(2, 3, 2):
        assert float(found[place]) == pytest.approx(
            values[int(items[place[0], 0, place[2]]), int(candidates[place[0], place[1], 0])], abs=1e-6
        )
    assert weights_between(weights, items[:, :, :0], candidates).shape == (2, 3, 0)


@pytest.mark.parametrize(
    ("arrays", "found"),
    [
        ({}, "no"),
        ({"co_rating": np.zeros((2, 2))}, "2 x 2"),
        ({"co_rating.row": np.zeros(1)}, "no"),
        ({f"co_rating.{name}": np.full(1, ITEMS) for name in ("row", "column", "value")}, "no"),
    ],
)
def test_weights_of_another_model_are_one_line(arrays: dict[str, Array], found: str) -> None:
    with pytest.raises(
        InputError,
        match=f"^users/model: found {found} item-to-item weights, expected {ITEMS} x {ITEMS}; run `dvc repro`$",
    ):
        read_co_rating(arrays, ITEMS)
