"""The splits as arrays and matrices."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest

from pipeline.common.errors import InputError
from pipeline.data.dataset import Dataset, blocks, evaluated_of
from pipeline.data.splits import SPLITS


def small() -> Dataset:
    interactions = pl.DataFrame(
        {
            "user": [0, 0, 0, 1, 1],
            "item": [0, 1, 2, 1, 3],
            "like": [True, False, True, True, False],
            "rating": [5.0, 2.0, 4.0, 4.5, 1.0],
            "split": ["train", "train", "test", "train", "valid"],
        }
    )
    candidates = pl.DataFrame({"user": [0], "item": [3], "split": ["test"]})
    return Dataset(interactions, candidates, users=2, items=4)


def pairs(found: Any) -> list[tuple[int, int]]:
    assert len(found) == len(found.users)
    return list(zip(found.users.tolist(), found.items.tolist(), strict=True))


def test_a_data_set_gives_pairs_by_split_and_kind() -> None:
    data = small()
    assert pairs(data.liked("train")) == [(0, 0), (1, 1)]
    assert pairs(data.disliked("train")) == [(0, 1)]
    assert pairs(data.liked("valid")) == []
    assert pairs(data.disliked("valid")) == [(1, 3)]
    assert pairs(data.liked("test")) == [(0, 2)]
    assert pairs(data.rated(("train", "valid"))) == [(0, 0), (0, 1), (1, 1), (1, 3)]
    assert pairs(data.unrated("test")) == [(0, 3)]
    assert pairs(data.unrated("valid")) == []


def test_everything_in_training_is_every_rating_and_nothing_to_evaluate_by() -> None:
    data, before = small().all_in_training(), small()
    assert pairs(data.liked("train")) == [(0, 0), (0, 2), (1, 1)]
    assert pairs(data.disliked("train")) == [(0, 1), (1, 3)]
    assert pairs(data.rated(("valid", "test"))) == []
    assert data.train_ratings[1].tolist() == [5.0, 2.0, 4.0, 4.5, 1.0]
    assert (data.users, data.items) == (before.users, before.items)
    # The one that it is made of stays as it is.
    assert pairs(before.disliked("valid")) == [(1, 3)]


def test_a_data_set_gives_training_likes_and_dislikes_as_matrices() -> None:
    data = small()
    assert data.train_likes.toarray().tolist() == [[1, 0, 0, 0], [0, 1, 0, 0]]
    assert data.train_dislikes.toarray().tolist() == [[0, 1, 0, 0], [0, 0, 0, 0]]


def test_training_ratings_are_one_and_zero_where_there_are_only_likes() -> None:
    data = small()
    found, ratings = data.train_ratings
    assert pairs(found) == [(0, 0), (0, 1), (1, 1)]
    assert ratings.tolist() == [5.0, 2.0, 4.5]
    liked = Dataset(
        pl.DataFrame(
            {
                "user": [0, 0],
                "item": [0, 1],
                "like": [True, False],
                "rating": [None, None],
                "split": ["train", "train"],
            },
            schema_overrides={"rating": pl.Float32},
        ),
        pl.DataFrame(schema={"user": pl.Int32, "item": pl.Int32, "split": pl.String}),
        users=1,
        items=2,
    )
    assert liked.train_ratings[1].tolist() == [1.0, 0.0]


def test_likes_are_told_from_dislikes_or_from_zeros_that_somebody_drew() -> None:
    schema = {"user": pl.Int32, "item": pl.Int32, "split": pl.String}
    interactions, candidates = small()._interactions, small()._candidates
    for none in (None, pl.DataFrame(schema=schema)):
        data = Dataset(interactions, candidates, 2, 4, none)
        assert pairs(data.against("valid")) == [(1, 3)]
        assert pairs(data.against("test")) == []
    zeros = pl.DataFrame([(0, 3, "test"), (1, 0, "valid"), (1, 2, "test")], schema=schema, orient="row")
    drawn = Dataset(interactions.filter("like"), candidates, 2, 4, zeros)
    assert pairs(drawn.against("test")) == [(0, 3), (1, 2)]
    assert pairs(drawn.against("valid")) == [(1, 0)]
    # They are in nobody's history, and stay candidates of `ranking`.
    assert pairs(drawn.rated(SPLITS)) == [(0, 0), (0, 2), (1, 1)]
    assert drawn.train_dislikes.nnz == 0
    assert len(drawn.train_ratings[0]) == 2


@pytest.mark.parametrize(("users", "items", "table", "column", "index"), [
    (1, 4, "interactions", "user", 1),
    (2, 3, "interactions", "item", 3),
    (2, 4, "unrated_candidates", "item", 4),
    (2, 4, "sampled_zeros", "item", 4),
])  # fmt: skip
def test_artifacts_of_different_runs_do_not_go_together(
    users: int, items: int, table: str, column: str, index: int
) -> None:
    interactions = pl.DataFrame(
        {"user": [0, 1], "item": [0, 3], "like": [True, True], "rating": [5.0, 5.0], "split": ["train", "train"]}
    )
    candidates, zeros = (
        pl.DataFrame({"user": [0], "item": [4 if table == name else 0], "split": ["test"]})
        for name in ("unrated_candidates", "sampled_zeros")
    )
    limit = users if column == "user" else items
    with pytest.raises(
        InputError,
        match=rf"^{table}: column {column}: found index {index}, expected 0 to {limit - 1}; run `dvc repro`$",
    ):
        Dataset(interactions, candidates, users, items, zeros)


def test_blocks_cover_all_indices_in_order() -> None:
    assert [block.tolist() for block in blocks(7, 3)] == [[0, 1, 2], [3, 4, 5], [6]]
    assert [block.tolist() for block in blocks(6, 3)] == [[0, 1, 2], [3, 4, 5]]
    assert list(blocks(0, 3)) == []


def test_figures_may_be_of_some_users() -> None:
    interactions = pl.DataFrame(
        {
            "user": pl.Series([0, 0, 1, 2, 2], dtype=pl.Int32),
            "item": pl.Series([0, 1, 1, 0, 2], dtype=pl.Int32),
            "like": [True, False, True, True, False],
            "rating": pl.Series([None] * 5, dtype=pl.Float32),
            "split": ["test"] * 5,
        }
    )
    candidates = interactions.select("user", "item", "split").clear()
    whole = Dataset(interactions, candidates, 3, 3)
    some = Dataset(interactions, candidates, 3, 3, evaluated=np.array([1, 2]))
    assert whole.evaluated.tolist() == [0, 1, 2]
    assert whole.of_evaluated(whole.liked("test")).users.tolist() == [0, 1, 2]
    assert some.of_evaluated(some.liked("test")).users.tolist() == [1, 2]
    assert some.of_evaluated(some.liked("test")).items.tolist() == [1, 0]
    assert some.liked("test").users.tolist() == [0, 1, 2]
    assert (whole.judged("test"), some.judged("test")) == (2, 1)
    assert whole.sizes == "3 users, 3 items"
    assert some.sizes == "3 users, 3 items; figures are of 2 of these users, drawn by seed"
    assert some.all_in_training().evaluated.tolist() == [1, 2]
    users = pl.DataFrame({"user": [0, 1, 2]})
    assert evaluated_of(users) is None
    found = evaluated_of(users.with_columns(evaluated=pl.Series([False, True, True])))
    assert found is not None
    assert found.tolist() == [1, 2]
