"""Each caution speaks where something was planted, and is silent where nothing was."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import spearmanr

from pipeline.evaluation.baselines.ease import Ease
from pipeline.evaluation.baselines.popularity import Popularity
from pipeline.evaluation.protocols import split as protocols
from pipeline.evaluation.systems import cautions as caution
from pipeline.evaluation.systems.cautions import (
    collapse_warnings,
    popularity_likeness,
    popularity_warning,
)
from tests.evaluation.worlds import Fixed, dataset, planted_dataset, random_rows, unrated_rows, without_ties

USERS, ITEMS = 12, 40
ROWS = random_rows(USERS, ITEMS, 0.5, 0)
DATA = dataset(ROWS, unrated_rows(ROWS, USERS, ITEMS, 0), USERS, ITEMS)
LIKES = [sum(row["item"] == item and row["like"] and row["split"] == "train" for row in ROWS) for item in range(ITEMS)]


@pytest.mark.parametrize(("split", "earlier"), [("valid", {"train"}), ("test", {"train", "valid"})])
@pytest.mark.parametrize("cells", [1, 5 * ITEMS, 10**6])
def test_likeness_to_popularity_is_the_mean_rank_correlation_over_each_users_candidates(
    monkeypatch, split, earlier, cells
) -> None:
    monkeypatch.setattr(protocols, "BLOCK_CELLS", cells)
    table = np.round(np.random.default_rng(1).normal(np.array(LIKES), 2.0, size=(USERS, ITEMS)))
    correlations = []
    for user in range(USERS):
        known = {row["item"] for row in ROWS if row["user"] == user and row["split"] in earlier}
        candidates = sorted(set(range(ITEMS)) - known)
        correlations.append(spearmanr(table[user, candidates], np.array(LIKES)[candidates]).statistic)
    found = popularity_likeness(Fixed(table), DATA, split, 7)
    assert found == pytest.approx(np.mean(correlations))
    assert 0.1 < found < 0.9


@pytest.mark.parametrize(
    "drawn",
    [
        {"POPULARITY_USERS": 5},
        {"POPULARITY_CELLS": 5 * ITEMS, "POPULARITY_FEWEST": 2},
        {"POPULARITY_CELLS": ITEMS, "POPULARITY_FEWEST": 5},
    ],
    ids=["users", "cells", "fewest"],
)
def test_a_sample_of_users_is_drawn_by_the_seed_and_scored_once(monkeypatch, drawn: dict[str, int]) -> None:
    for name, value in drawn.items():
        monkeypatch.setattr(caution, name, value)
    asked: list[list[int]] = []

    class Listening(Fixed):
        def score(self, users: np.ndarray) -> np.ndarray:
            asked.append(users.tolist())
            return super().score(users)

    system = Listening(without_ties(USERS, ITEMS, 0).table)
    first, again, other = (popularity_likeness(system, DATA, "test", seed) for seed in (1, 1, 2))
    assert first == again != other
    assert asked[0] == asked[1] != asked[2]
    assert all(len(set(users)) == 5 for users in asked)


def test_popularity_itself_is_popularity_under_any_scale() -> None:
    popularity = Popularity.fit(DATA)
    assert popularity_likeness(popularity, DATA, "test", 1) == pytest.approx(1)
    assert popularity_likeness(Fixed(np.exp(popularity.score(np.arange(USERS)))), DATA, "test", 1) == pytest.approx(1)
    assert popularity_likeness(Fixed(-popularity.score(np.arange(USERS))), DATA, "test", 1) == pytest.approx(-1)


def test_a_constant_system_is_not_like_popularity() -> None:
    assert popularity_likeness(Fixed(np.ones((USERS, ITEMS))), DATA, "test", 1) == 0


def test_a_user_without_candidates_counts_for_nothing_and_breaks_nothing() -> None:
    rows = [row for row in ROWS if row["user"]]
    rows += [{"user": 0, "item": i, "like": True, "rating": 5.0, "split": "train"} for i in range(ITEMS)]
    data = dataset(rows, [], USERS, ITEMS)
    found = popularity_likeness(Popularity.fit(data), data, "test", 1)
    assert found == pytest.approx((USERS - 1) / USERS)


def test_only_a_system_that_hardly_leaves_popularity_is_warned_of() -> None:
    data = planted_dataset()
    popularity, personal = Popularity.fit(data), Ease.fit(data, 10.0)
    everybody = popularity.score(np.arange(data.users))
    little = Fixed(everybody + 0.05 * np.random.default_rng(0).normal(size=everybody.shape))
    (warning,) = popularity_warning("crmman", popularity_likeness(little, data, "test", 1))
    assert warning.startswith("crmman: ranks like popularity for everybody")
    assert popularity_warning("ease", popularity_likeness(personal, data, "test", 1)) == []


def test_the_warning_of_popularity_starts_at_its_limit() -> None:
    assert popularity_warning("crmman", 0.9199) == []
    assert len(popularity_warning("crmman", 0.92)) == 1


def vectors_of_rank(rank: int, items: int = 500, width: int = 128) -> np.ndarray:
    """Vectors with ``rank`` directions of equal weight."""
    random = np.random.default_rng(0)
    left = np.linalg.qr(random.normal(size=(items, rank)))[0]
    return left @ np.linalg.qr(random.normal(size=(width, rank)))[0].T


@pytest.mark.parametrize(
    ("rank", "items", "width", "collapsed"),
    [
        (2, 500, 32, True),
        (4, 500, 32, False),
        (6, 500, 128, True),  # 5% of 128 is 6.4
        (7, 500, 128, False),
        (4, 40, 512, False),  # of 40 items there are 40 directions, whatever the width
        (2, 500, 3, False),  # a narrow embedding has few directions to use
        (1, 500, 3, True),
        (1, 500, 1, False),
    ],
)
def test_an_embedding_has_collapsed_when_it_uses_next_to_no_direction(rank, items, width, collapsed) -> None:
    found = collapse_warnings({"text": np.eye(8), "structure": vectors_of_rank(rank, items, width)})
    assert len(found) == collapsed
    assert all(line.startswith(f"structure: effective rank {rank}.00 of {min(items, width)}") for line in found)


def test_equal_vectors_have_collapsed_and_those_of_nothing_have_not() -> None:
    found = collapse_warnings({"same": np.tile(np.arange(5.0), (9, 1)), "zero": np.zeros((9, 5)), "sound": np.eye(9)})
    assert [line.split(":")[0] for line in found] == ["same"]


@settings(deadline=None, max_examples=40, derandomize=True)
@given(st.integers(4, 40), st.integers(1, 40), st.integers(0, 1000))
def test_random_vectors_have_not_collapsed(items: int, width: int, seed: int) -> None:
    assert collapse_warnings({"noise": np.random.default_rng(seed).normal(size=(items, width))}) == []
