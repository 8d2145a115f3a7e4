"""Figures by slices against Python's sets, user by user."""

from __future__ import annotations

from functools import partial

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.common.random_streams import stream
from pipeline.evaluation.comparison.intervals import mean_figure
from pipeline.evaluation.comparison.suite import slice_figures
from pipeline.evaluation.metrics.evaluated import evaluate_split
from pipeline.evaluation.protocols import catalogue
from pipeline.evaluation.protocols import split as protocols
from pipeline.evaluation.protocols.split import PerUser
from pipeline.evaluation.systems import slices
from pipeline.evaluation.systems.slices import (
    DISLIKES,
    HISTORY,
    ITEM_SLICES,
    POPULARITY,
    USER_SLICES,
    by_user,
    item_slices,
    user_slices,
)
from tests.evaluation import orders
from tests.evaluation.worlds import Fixed, Rows, dataset, random_rows, sliced_by_item, unrated_rows, without_ties

RANDOMLY = settings(deadline=None, max_examples=100, derandomize=True)
USERS, ITEMS = 50, 260
both_splits = pytest.mark.parametrize(("split", "earlier"), [("valid", {"train"}), ("test", {"train", "valid"})])


def uneven_rows(seed: int = 0) -> Rows:
    """The first items have many likes in training, the last ones next to none."""
    random = np.random.default_rng(seed)
    kept = np.repeat([1.0, 0.7, 0.2], [40, 100, ITEMS - 140])
    rows = random_rows(USERS, ITEMS, 0.95, seed)
    return [row for row in rows if random.random() < (kept[row["item"]] if row["split"] == "train" else 0.5)]


ROWS = uneven_rows()
DATA = dataset(ROWS, unrated_rows(ROWS, USERS, ITEMS, 0), USERS, ITEMS)


def slow_slices(likes: list[int]) -> list[str]:
    """Head: the smallest threshold class of the most liked items that holds half of all likes."""
    head = next(
        {item for item, count in enumerate(likes) if count >= threshold}
        for threshold in sorted(set(likes), reverse=True)
        if 2 * sum(count for count in likes if count >= threshold) >= sum(likes)
    )
    return ["cold" if count <= 5 else "head" if item in head else "tail" for item, count in enumerate(likes)]


@RANDOMLY
@given(st.lists(st.integers(0, 40), min_size=1, max_size=25))
def test_slices_of_items_are_those_of_their_definition(likes: list[int]) -> None:
    found = [ITEM_SLICES[number] for number in item_slices(np.array(likes))]
    assert found == slow_slices(likes)


def test_items_by_hand() -> None:
    likes = np.array([5, 6, 40, 30, 30, 9, 0])
    # 120 likes: 40 are a third of them, 40 and 30 are 70; the other 30 comes along as its equal.
    assert [ITEM_SLICES[number] for number in item_slices(likes)] == [
        "cold", "tail", "head", "head", "head", "tail", "cold",
    ]  # fmt: skip


def slow_values(table: np.ndarray, split: str, earlier: set[str]) -> dict[tuple[str, str, str], dict[int, float]]:
    likes = [
        sum(row["item"] == item and row["like"] and row["split"] == "train" for row in ROWS) for item in range(ITEMS)
    ]
    of_item = slow_slices(likes)
    values: dict[tuple[str, str, str], dict[int, float]] = {}
    for user in range(USERS):
        mine = [row for row in ROWS if row["user"] == user]
        known = {row["item"] for row in mine if row["split"] in earlier}
        liked = {row["item"] for row in mine if row["split"] == split and row["like"]}
        for name in ITEM_SLICES:
            wanted = {item for item in liked if of_item[item] == name}
            if not wanted:
                continue
            anywhere = sorted(set(range(ITEMS)) - known)
            within = [item for item in anywhere if of_item[item] == name]
            for protocol, metric, candidates, measure in (
                ("ranking-within", "ndcg@10", within, partial(orders.ndcg, k=10)),
                ("ranking-within", "recall@20", within, partial(orders.recall, k=20)),
                ("ranking", "recall@100", anywhere, partial(orders.recall, k=100)),
            ):
                ranked = orders.ranked(table[user, candidates].tolist(), [item in wanted for item in candidates])
                values.setdefault((name, protocol, metric), {})[user] = measure(ranked)
    return values


def assert_same(found: slices.Slices, expected: dict[tuple[str, str, str], dict[int, float]]) -> None:
    assert {key[1:] for key in found} == set(expected)
    for (slice_by, *rest), values in found.items():
        assert slice_by == POPULARITY
        reference = expected[rest[0], rest[1], rest[2]]
        assert values.users.tolist() == sorted(reference)
        assert values.values == pytest.approx([reference[user] for user in sorted(reference)])


@both_splits
@pytest.mark.parametrize("cells", [1, 7 * ITEMS, 10**6])
@pytest.mark.parametrize("counted_from", [1, 10**6])
def test_values_by_popularity_are_those_of_plain_sets_in_blocks_of_any_size(
    monkeypatch, split, earlier, cells, counted_from
) -> None:
    monkeypatch.setattr(protocols, "BLOCK_CELLS", cells)
    monkeypatch.setattr(catalogue, "COUNTED_ITEMS", counted_from)
    system = without_ties(USERS, ITEMS, 3)
    expected = slow_values(system.table, split, earlier)
    assert {name for name, _, _ in expected} == set(ITEM_SLICES)
    # The full catalogue leaves something out, or recall@100 would be tested by nothing.
    assert min(expected["cold", "ranking", "recall@100"].values()) < 1
    assert_same(sliced_by_item(system, DATA, split), expected)


def test_ties_are_the_mean_over_orders() -> None:
    random = np.random.default_rng(5)
    table = random.integers(0, 6, size=(USERS, ITEMS)).astype(np.float32)
    found = sliced_by_item(Fixed(table), DATA, "test")
    drawn: dict[tuple[str, str, str], list[float]] = {}
    for _ in range(25):
        broken = table + random.permuted(np.tile(np.arange(ITEMS) / (2 * ITEMS), (USERS, 1)), axis=1)
        for key, of_user in slow_values(broken, "test", {"train", "valid"}).items():
            drawn.setdefault(key, []).append(float(np.mean(list(of_user.values()))))
    for key, means in drawn.items():
        error = np.std(means) / np.sqrt(len(means))
        assert abs(found[POPULARITY, *key].mean - np.mean(means)) < 4 * error + 1e-9, key


def test_a_slice_that_nobody_likes_is_left_out() -> None:
    of_item = item_slices(DATA.train_likes.getnnz(axis=0))
    rows = [row for row in ROWS if row["split"] == "train" or ITEM_SLICES[of_item[row["item"]]] == "head"]
    data = dataset(rows, unrated_rows(rows, USERS, ITEMS, 0), USERS, ITEMS)
    found = sliced_by_item(without_ties(USERS, ITEMS, 3), data, "test")
    assert {name for _, name, _, _ in found} == {"head"}


@RANDOMLY
@given(st.lists(st.integers(0, 9), min_size=1, max_size=40))
def test_thirds_are_in_order_keep_equals_together_and_end_at_a_third(values: list[int]) -> None:
    third = slices._thirds(np.array(values))
    for left, one in zip(values, third, strict=True):
        # How many users come up to this value, its equals counted from the lowest: that user's place decides.
        place = sum(other < left for other in values)
        assert one == (3 * place >= len(values)) + (3 * place >= 2 * len(values))


def test_different_values_part_into_equal_thirds() -> None:
    assert np.bincount(slices._thirds(np.random.default_rng(0).permutation(30))).tolist() == [10, 10, 10]


def test_users_are_parted_by_their_training_ratings_and_the_dislikes_among_them() -> None:
    ratings = [sum(row["user"] == user and row["split"] == "train" for row in ROWS) for user in range(USERS)]
    dislikes = [
        sum(row["user"] == user and row["split"] == "train" and not row["like"] for row in ROWS)
        for user in range(USERS)
    ]
    found = user_slices(DATA)
    assert found[HISTORY].tolist() == slices._thirds(np.array(ratings)).tolist()
    assert found[DISLIKES].tolist() == slices._thirds(np.array(dislikes) / np.array(ratings)).tolist()
    # User 2 likes everything it rates.
    assert USER_SLICES[DISLIKES][found[DISLIKES][2]] == "few"


def test_values_by_user_are_parted_without_loss() -> None:
    per_user = evaluate_split(without_ties(USERS, ITEMS, 3), DATA, "test").per_user
    found = by_user(per_user, DATA)
    assert {(slice_by, name) for slice_by, name, _, _ in found} == {
        (slice_by, name) for slice_by, names in USER_SLICES.items() for name in names
    }
    for slice_by in (HISTORY, DISLIKES):
        for protocol, metric in slices.USER_METRICS:
            parts = [found[slice_by, name, protocol, metric] for name in USER_SLICES[slice_by]]
            joined = {
                user: value for part in parts for user, value in zip(part.users.tolist(), part.values, strict=True)
            }
            values = per_user[protocol, metric]
            assert joined == dict(zip(values.users.tolist(), values.values, strict=True))
            for number, part in enumerate(parts):
                assert set(user_slices(DATA)[slice_by][part.users].tolist()) == {number}


def test_without_dislikes_users_are_parted_by_history_only() -> None:
    rows = [row | {"like": True, "rating": None} for row in ROWS]
    data = dataset(rows, unrated_rows(rows, USERS, ITEMS, 0), USERS, ITEMS)
    found = by_user(evaluate_split(without_ties(USERS, ITEMS, 3), data, "test").per_user, data)
    assert {slice_by for slice_by, _, _, _ in found} == {HISTORY}
    assert {protocol for _, _, protocol, _ in found} == {"ctr", "ranking"}


def test_a_planted_system_shows_where_it_is_good() -> None:
    likes = DATA.train_likes.getnnz(axis=0)
    wanted = DATA.matrix(DATA.liked("test")).toarray()
    noise = without_ties(USERS, ITEMS, 3).table
    cold = item_slices(likes) == 0
    found = sliced_by_item(Fixed(np.where(cold, noise + 2 * wanted, noise)), DATA, "test")
    assert found[POPULARITY, "cold", "ranking-within", "ndcg@10"].mean == 1
    assert found[POPULARITY, "head", "ranking-within", "ndcg@10"].mean < 0.6


def test_figures_are_means_with_their_bootstrap_intervals() -> None:
    values = {
        (POPULARITY, "cold", "ranking", "recall@100"): PerUser(np.arange(9), np.random.default_rng(1).random(9)),
        (HISTORY, "short", "ctr", "user_auc"): PerUser(np.arange(5), np.random.default_rng(2).random(5)),
    }
    found = slice_figures(values, 50, 7)
    assert found.columns == ["slice_by", "slice", "protocol", "metric", "value", "low", "high", "users"]
    for key, row in zip(values, found.iter_rows(), strict=True):
        assert row[:4] == key
        assert row[4:] == pytest.approx(tuple(mean_figure(values[key], 50, stream(7, f"bootstrap {key[0]}"))))
    assert found["users"].dtype == pl.Int32
    assert slice_figures({}, 50, 7).schema == found.schema
