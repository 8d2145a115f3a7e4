"""Each caution speaks where something was planted, and is silent where nothing was."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import spearmanr

from pipeline.evaluation.baselines.ease import Ease
from pipeline.evaluation.baselines.popularity import Popularity
from pipeline.evaluation.comparison.paired import SCHEMA, compare
from pipeline.evaluation.protocols import split as protocols
from pipeline.evaluation.protocols.split import PerUser
from pipeline.evaluation.systems import cautions as caution
from pipeline.evaluation.systems.cautions import (
    beaten_warnings,
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


def test_a_sample_of_users_is_drawn_by_the_seed_and_scored_once(monkeypatch) -> None:
    monkeypatch.setattr(caution, "POPULARITY_USERS", 5)
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


def test_equal_and_empty_vectors_have_collapsed() -> None:
    found = collapse_warnings({"same": np.tile(np.arange(5.0), (9, 1)), "zero": np.zeros((9, 5)), "sound": np.eye(9)})
    assert [line.split(":")[0] for line in found] == ["same", "zero"]


@settings(deadline=None, max_examples=40, derandomize=True)
@given(st.integers(4, 40), st.integers(1, 40), st.integers(0, 1000))
def test_random_vectors_have_not_collapsed(items: int, width: int, seed: int) -> None:
    assert collapse_warnings({"noise": np.random.default_rng(seed).normal(size=(items, width))}) == []


def comparisons(*rows: tuple[str, str, str, str, float, float, float]) -> pl.DataFrame:
    return pl.DataFrame([(*row, 9) for row in rows], schema=SCHEMA, orient="row")


def test_baselines_above_a_variant_are_named_the_farthest_first_with_what_chance_says() -> None:
    table = comparisons(
        ("crmman", "ranking", "ndcg@10", "als", -0.01, -0.03, 0.01),
        ("crmman", "ranking", "ndcg@10", "ease", -0.04, -0.05, -0.03),
        ("crmman", "ranking", "ndcg@10", "popularity", 0.2, 0.1, 0.3),
        ("crmman", "ranking", "recall@10", "popularity", -0.2, -0.3, -0.1),
        ("crmman-flat", "ctr", "user_auc", "als", -0.5, -0.6, -0.4),
        ("crmman", "ctr", "user_auc", "ease", -0.5, -0.75, -0.25),
        ("crmman", "impression", "ndcg@5", "ease", 0.0, -0.1, 0.1),
    )
    assert beaten_warnings(table) == [
        "ctr user_auc: above crmman: ease by 0.5000 (0.2500 to 0.7500, beyond chance)",
        "ranking ndcg@10: above crmman: ease by 0.0400 (0.0300 to 0.0500, beyond chance), "
        "als by 0.0100 (-0.0100 to 0.0300, may be chance)",
        "ctr user_auc: above crmman-flat: als by 0.5000 (0.4000 to 0.6000, beyond chance)",
    ]


def test_a_model_above_all_baselines_needs_no_warning() -> None:
    assert beaten_warnings(comparisons(("crmman", "ctr", "user_auc", "ease", 0.1, -0.1, 0.3))) == []
    assert beaten_warnings(comparisons()) == []


def test_planted_systems_are_warned_of_from_their_values_on() -> None:
    random = np.random.default_rng(0)
    base, noise = random.random(300), random.normal(0, 0.1, size=(2, 300))
    of = {
        name: {("ranking", "ndcg@10"): PerUser(np.arange(300), values)}
        for name, values in {
            "crmman": base,
            "better": base + 0.1 + noise[0],
            "equal": base + noise[1] - noise[1].mean() + 0.001,
            "worse": base - 0.2,
        }.items()
    }
    (warning,) = beaten_warnings(compare(of, ["crmman"], ["worse", "equal", "better"], 200, 1))
    better, equal = warning.removeprefix("ranking ndcg@10: above crmman: ").split("), ")
    assert better.startswith("better by 0.")
    assert better.endswith("beyond chance")
    assert equal.startswith("equal by 0.0010")
    assert equal.endswith("may be chance)")
