"""Paired bootstrap against plain loops that draw users one by one."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from pipeline.common.errors import InputError
from pipeline.evaluation.comparison import intervals, paired
from pipeline.evaluation.comparison.intervals import POOLED_SAMPLES, mean_figure
from pipeline.evaluation.comparison.paired import (
    SCHEMA,
    against_best,
    compare,
    compare_with_best,
    excludes_zero,
    paired_auc_difference,
    paired_difference,
)
from pipeline.evaluation.protocols.split import PerUser, ScoredPairs

RANDOMLY = settings(deadline=None, max_examples=60, derandomize=True)
SAMPLES = 100


def per_user(count: int, seed: int, first: int = 0, shift: float = 0.0) -> PerUser:
    return PerUser(np.arange(first, first + count), np.random.default_rng(seed).random(count) + shift)


def pairs(users: int, seed: int, each: int = 6) -> ScoredPairs:
    """The same users, by names with gaps, and labels for every seed; scores of the seed tie a lot."""
    fixed = np.random.default_rng(99)
    labels = fixed.random(users * each) < 0.5
    owners = fixed.permutation(np.repeat(np.arange(users) * 3 + 1, each))
    return ScoredPairs(owners, labels, np.round(np.random.default_rng(seed).normal(labels * 0.8, 1.0)))


def slow_interval(left: PerUser, right: PerUser, samples: int, seed: int) -> tuple[float, float, float]:
    of_left = dict(zip(left.users.tolist(), left.values.tolist(), strict=True))
    of_right = dict(zip(right.users.tolist(), right.values.tolist(), strict=True))
    both = sorted(of_left.keys() & of_right.keys())
    apart = [of_left[user] - of_right[user] for user in both]
    random = np.random.default_rng(seed)
    means = []
    for _ in range(samples):
        drawn = [apart[place] for place in random.integers(len(both), size=len(both))]
        means.append(sum(drawn) / len(drawn))
    return sum(apart) / len(apart), float(np.percentile(means, 2.5)), float(np.percentile(means, 97.5))


@RANDOMLY
@given(st.integers(1, 12), st.integers(1, 12), st.integers(0, 8), st.integers(0, 1000))
def test_a_paired_difference_is_over_the_users_that_both_have(left: int, right: int, first: int, seed: int) -> None:
    one, other = per_user(left, seed), per_user(right, seed + 1, first)
    common = set(one.users.tolist()) & set(other.users.tolist())
    if not common:
        with pytest.raises(InputError, match="no user with a value of both"):
            paired_difference(one, other, 20, np.random.default_rng(seed))
        return
    found = paired_difference(one, other, 20, np.random.default_rng(seed))
    assert found.users == len(common)
    assert found[:3] == pytest.approx(slow_interval(one, other, 20, seed))


def test_users_need_no_order() -> None:
    one, other = per_user(9, 1), per_user(9, 2)
    mixed = np.random.default_rng(0).permutation(9)
    shuffled = PerUser(other.users[mixed], other.values[mixed])
    draw = np.random.default_rng
    assert paired_difference(one, shuffled, 30, draw(3)) == paired_difference(one, other, 30, draw(3))


@pytest.mark.parametrize("cells", [1, 40, 10**6])
def test_blocks_of_samples_change_nothing(monkeypatch, cells) -> None:
    monkeypatch.setattr(intervals, "BLOCK_CELLS", cells)
    one, other = per_user(15, 1), per_user(15, 2)
    found = paired_difference(one, other, SAMPLES, np.random.default_rng(5))
    assert found[:3] == pytest.approx(slow_interval(one, other, SAMPLES, 5))


def test_no_block_is_larger_than_its_limit(monkeypatch) -> None:
    monkeypatch.setattr(intervals, "BLOCK_CELLS", 50)
    shapes = [block.shape for block in intervals.times_drawn(20, 7, np.random.default_rng(0))]
    assert shapes == [(2, 20), (2, 20), (2, 20), (1, 20)]


def test_what_both_systems_share_cancels() -> None:
    hard = np.random.default_rng(1).normal(0, 1, 200)
    one = PerUser(np.arange(200), hard + 0.05 + np.random.default_rng(2).normal(0, 0.05, 200))
    other = PerUser(np.arange(200), hard)
    alone = mean_figure(one, SAMPLES, np.random.default_rng(0))
    found = paired_difference(one, other, SAMPLES, np.random.default_rng(0))
    assert found.beyond_chance
    assert found.high - found.low < (alone.high - alone.low) / 5


def test_a_system_against_itself_differs_by_nothing() -> None:
    found = paired_difference(per_user(9, 1), per_user(9, 1), SAMPLES, np.random.default_rng(0))
    assert found == (0, 0, 0, 9)
    assert not found.beyond_chance
    assert paired_auc_difference(pairs(9, 1), pairs(9, 1), SAMPLES, np.random.default_rng(0)) == (0, 0, 0, 9)


def test_nineteen_of_twenty_intervals_of_equal_systems_hold_zero() -> None:
    held = 0
    for seed in range(200):
        found = paired_difference(per_user(60, 2 * seed), per_user(60, 2 * seed + 1), 200, np.random.default_rng(seed))
        held += not found.beyond_chance
    assert 180 <= held <= 198


@pytest.mark.parametrize(
    ("low", "high", "excluded"),
    [(0.1, 0.2, True), (-0.2, -0.1, True), (-0.1, 0.1, False), (0.0, 0.1, False), (-0.1, 0.0, False)],
)
def test_an_interval_excludes_zero_when_it_lies_on_one_side(low, high, excluded) -> None:
    assert excludes_zero(low, high) is excluded


def test_an_interval_without_bounds_excludes_nothing() -> None:
    assert not excludes_zero(float("nan"), float("nan"))


def test_the_difference_of_pooled_aucs_repeats_the_pairs_of_drawn_users() -> None:
    one, other = pairs(12, 1), pairs(12, 2)
    random, names = np.random.default_rng(5), np.unique(one.users)
    apart = []
    for _ in range(SAMPLES):
        drawn = [names[place] for place in random.integers(12, size=12)]
        chosen = np.concatenate([np.flatnonzero(one.users == name) for name in drawn])
        aucs = [roc_auc_score(system.labels[chosen], system.scores[chosen]) for system in (one, other)]
        apart.append(aucs[0] - aucs[1])
    found = paired_auc_difference(one, other, SAMPLES, np.random.default_rng(5))
    assert found.value == pytest.approx(
        roc_auc_score(one.labels, one.scores) - roc_auc_score(other.labels, other.scores)
    )
    assert (found.low, found.high) == pytest.approx((np.percentile(apart, 2.5), np.percentile(apart, 97.5)))
    assert found.users == 12


def test_samples_of_a_pooled_auc_are_capped() -> None:
    one, other = pairs(12, 1), pairs(12, 2)
    many, capped = (
        paired_auc_difference(one, other, count, np.random.default_rng(5)) for count in (5000, POOLED_SAMPLES)
    )
    assert many == capped


def test_samples_with_one_kind_of_label_count_for_nothing() -> None:
    owners, labels = np.array([0, 0, 1]), np.array([True, True, False])
    one = ScoredPairs(owners, labels, np.array([2.0, 0.0, 1.0]))
    other = ScoredPairs(owners, labels, np.array([0.0, 0.5, 1.0]))
    assert paired_auc_difference(one, other, 50, np.random.default_rng(0)) == (0.5, 0.5, 0.5, 2)


@pytest.mark.parametrize("change", ["users", "labels"])
def test_aucs_over_different_pairs_are_refused(change) -> None:
    one = pairs(12, 1)
    columns = {"users": one.users, "labels": one.labels, "scores": one.scores}
    other = ScoredPairs(**columns | {change: columns[change][::-1].copy()})
    with pytest.raises(InputError, match="different pairs"):
        paired_auc_difference(one, other, SAMPLES, np.random.default_rng(0))


RANKING, CTR = ("ranking", "ndcg@10"), ("ctr", "user_auc")
SYSTEMS = {
    "crmman": {CTR: per_user(30, 1), RANKING: per_user(40, 2)},
    "crmman-flat": {CTR: per_user(30, 3), RANKING: per_user(40, 4)},
    "ease": {CTR: per_user(30, 5), RANKING: per_user(40, 6, shift=1.0)},
    "als": {CTR: per_user(30, 7, shift=0.5), RANKING: per_user(40, 8)},
    "partial": {RANKING: per_user(40, 8)},
}
VARIANTS, BASELINES = ["crmman", "crmman-flat"], ["ease", "als", "partial"]
PAIRS = {name: {"ctr": pairs(12, seed)} for seed, name in enumerate(["crmman", "crmman-flat", "ease", "als"])}


def test_every_variant_meets_every_baseline_that_has_the_metric() -> None:
    found = compare(SYSTEMS, VARIANTS, BASELINES, SAMPLES, 7, PAIRS)
    assert found.schema == SCHEMA
    assert found.select("system", "protocol", "metric", "against").rows() == [
        (variant, protocol, metric, baseline)
        for variant in VARIANTS
        for protocol, metric, baselines in (
            ("ctr", "auc", ["ease", "als"]),
            ("ctr", "user_auc", ["ease", "als"]),
            ("ranking", "ndcg@10", ["ease", "als", "partial"]),
        )
        for baseline in baselines
    ]
    for row in found.iter_rows(named=True):
        if row["metric"] == "auc":
            systems = [PAIRS[row[side]]["ctr"] for side in ("system", "against")]
            first, second = (roc_auc_score(system.labels, system.scores) for system in systems)
        else:
            first, second = (SYSTEMS[row[side]][row["protocol"], row["metric"]].mean for side in ("system", "against"))
        assert row["difference"] == pytest.approx(first - second)
        assert row["low"] < row["difference"] < row["high"]
        assert row["users"] == {"auc": 12, "user_auc": 30, "ndcg@10": 40}[row["metric"]]


def test_each_comparison_is_what_it_is_alone_and_stays_so_when_others_come() -> None:
    whole = compare(SYSTEMS, VARIANTS, BASELINES, SAMPLES, 7, PAIRS)
    alone = compare(SYSTEMS, ["crmman-flat"], ["als"], SAMPLES, 7, PAIRS)
    row = (pl.col("system") == "crmman-flat") & (pl.col("against") == "als")
    part = whole.filter(row)
    assert part.drop("difference", "low", "high").equals(alone.drop("difference", "low", "high"))
    for column in ("difference", "low", "high"):
        assert part[column].to_list() == pytest.approx(alone[column].to_list())
    draws = paired.stream(7, "paired bootstrap")
    expected = paired_difference(SYSTEMS["crmman-flat"][RANKING], SYSTEMS["als"][RANKING], SAMPLES, draws)
    assert alone.filter(metric="ndcg@10").row(0)[4:] == pytest.approx(tuple(expected))


def test_the_seed_sets_the_intervals_and_nothing_else() -> None:
    first, again, other = (compare(SYSTEMS, VARIANTS, BASELINES, SAMPLES, seed, PAIRS) for seed in (7, 7, 8))
    assert first.equals(again)
    assert first["difference"].equals(other["difference"])
    assert not first["low"].equals(other["low"])


def test_the_best_baseline_of_each_metric_is_the_one_with_the_highest_mean() -> None:
    found = compare_with_best(SYSTEMS, VARIANTS, BASELINES, SAMPLES, 7)
    assert found.select("system", "metric", "against").rows() == [
        (variant, *best) for variant in VARIANTS for best in (("user_auc", "als"), ("ndcg@10", "ease"))
    ]
    whole = compare(SYSTEMS, VARIANTS, BASELINES, SAMPLES, 7)
    assert found.equals(against_best(whole))
    assert len(found.join(whole, on=found.columns)) == len(found)


def test_of_equal_baselines_the_first_is_taken() -> None:
    for order in (["als", "partial"], ["partial", "als"]):
        found = compare_with_best({**SYSTEMS, "ease": {}}, ["crmman"], order, SAMPLES, 7).filter(metric="ndcg@10")
        assert found["against"].to_list() == order[:1]


def test_nothing_to_compare_is_an_empty_table() -> None:
    for systems, baselines in (({}, []), (SYSTEMS, []), (SYSTEMS, ["unheard of"])):
        found = compare_with_best(systems, VARIANTS, baselines, SAMPLES, 7)
        assert found.is_empty()
        assert found.schema == SCHEMA


def test_a_protocol_with_one_kind_of_label_has_no_auc_to_compare() -> None:
    likes = {
        name: {"ctr": ScoredPairs(part["ctr"].users, np.ones(72, dtype=bool), part["ctr"].scores)}
        for name, part in PAIRS.items()
    }
    assert "auc" not in compare(SYSTEMS, VARIANTS, BASELINES, SAMPLES, 7, likes)["metric"].to_list()
