"""Paired bootstrap against plain loops that draw users one by one."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from pipeline.common.errors import InputError
from pipeline.common.random_streams import stream
from pipeline.evaluation.comparison import intervals
from pipeline.evaluation.comparison.intervals import mean_figure
from pipeline.evaluation.comparison.paired import (
    SCHEMA,
    against_best,
    compare,
    excludes_zero,
    run_weights,
)
from pipeline.evaluation.comparison.suite import alone
from pipeline.evaluation.protocols.split import PerUser, ScoredPairs

RANDOMLY = settings(deadline=None, max_examples=60, derandomize=True)
SAMPLES = 100
RANKING, CTR = ("ranking", "ndcg@10"), ("ctr", "user_auc")


def per_user(count: int, seed: int, first: int = 0, shift: float = 0.0) -> PerUser:
    return PerUser(np.arange(first, first + count), np.random.default_rng(seed).random(count) + shift)


def pairs(users: int, seed: int, each: int = 6) -> ScoredPairs:
    """The same users, by names with gaps, and labels for every seed; scores of the seed tie a lot."""
    fixed = np.random.default_rng(99)
    labels = fixed.random(users * each) < 0.5
    owners = fixed.permutation(np.repeat(np.arange(users) * 3 + 1, each))
    return ScoredPairs(owners, labels, np.round(np.random.default_rng(seed).normal(labels * 0.8, 1.0)))


class Difference(NamedTuple):
    value: float
    low: float
    high: float
    users: int

    @property
    def beyond_chance(self) -> bool:
        return excludes_zero(self.low, self.high)


def paired_difference(left: PerUser, right: PerUser, samples: int, seed: int) -> Difference:
    """Of two systems of one run each, by one metric."""
    found = compare(
        {"left": {RANKING: left}, "right": {RANKING: right}}, alone(["left"]), alone(["right"]), samples, seed
    )
    return Difference(*found.row(0)[4:8])


def paired_auc_difference(left: ScoredPairs, right: ScoredPairs, samples: int, seed: int) -> Difference:
    both = {"left": {"ctr": left}, "right": {"ctr": right}}
    found = compare({}, alone(["left"]), alone(["right"]), samples, seed, both)
    return Difference(*found.row(0)[4:8])


def slow_interval(left: PerUser, right: PerUser, samples: int, seed: int) -> tuple[float, float, float]:
    of_left = dict(zip(left.users.tolist(), left.values.tolist(), strict=True))
    of_right = dict(zip(right.users.tolist(), right.values.tolist(), strict=True))
    both = sorted(of_left.keys() & of_right.keys())
    apart = [of_left[user] - of_right[user] for user in both]
    random = stream(seed, "paired bootstrap")
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
        systems = {"left": {RANKING: one}, "right": {RANKING: other}}
        assert compare(systems, alone(["left"]), alone(["right"]), 20, seed).is_empty()
        return
    found = paired_difference(one, other, 20, seed)
    assert found.users == len(common)
    assert found[:3] == pytest.approx(slow_interval(one, other, 20, seed))


def test_users_need_no_order() -> None:
    one, other = per_user(9, 1), per_user(9, 2)
    mixed = np.random.default_rng(0).permutation(9)
    shuffled = PerUser(other.users[mixed], other.values[mixed])
    assert paired_difference(one, shuffled, 30, 3) == paired_difference(one, other, 30, 3)


@pytest.mark.parametrize("cells", [1, 40, 10**6])
def test_blocks_of_samples_change_nothing(monkeypatch, cells) -> None:
    monkeypatch.setattr(intervals, "BLOCK_CELLS", cells)
    one, other = per_user(15, 1), per_user(15, 2)
    found = paired_difference(one, other, SAMPLES, 5)
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
    found = paired_difference(one, other, SAMPLES, 0)
    assert found.beyond_chance
    assert found.high - found.low < (alone.high - alone.low) / 5


def test_a_system_against_itself_differs_by_nothing() -> None:
    found = paired_difference(per_user(9, 1), per_user(9, 1), SAMPLES, 0)
    assert found == (0, 0, 0, 9)
    assert not found.beyond_chance
    assert paired_auc_difference(pairs(9, 1), pairs(9, 1), SAMPLES, 0) == (0, 0, 0, 9)


def test_nineteen_of_twenty_intervals_of_equal_systems_hold_zero() -> None:
    held = 0
    for seed in range(200):
        found = paired_difference(per_user(60, 2 * seed), per_user(60, 2 * seed + 1), 200, seed)
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
    random, names = stream(5, "paired bootstrap"), np.unique(one.users)
    apart = []
    for _ in range(SAMPLES):
        drawn = [names[place] for place in random.integers(12, size=12)]
        chosen = np.concatenate([np.flatnonzero(one.users == name) for name in drawn])
        aucs = [roc_auc_score(system.labels[chosen], system.scores[chosen]) for system in (one, other)]
        apart.append(aucs[0] - aucs[1])
    found = paired_auc_difference(one, other, SAMPLES, 5)
    assert found.value == pytest.approx(
        roc_auc_score(one.labels, one.scores) - roc_auc_score(other.labels, other.scores)
    )
    assert (found.low, found.high) == pytest.approx((np.percentile(apart, 2.5), np.percentile(apart, 97.5)))
    assert found.users == 12


def test_a_pooled_auc_has_all_the_samples_that_are_asked_for() -> None:
    one, other = pairs(12, 1), pairs(12, 2)
    few, many = (paired_auc_difference(one, other, count, 5) for count in (200, 1000))
    assert few.value == many.value
    assert (few.low, few.high) != (many.low, many.high)


def test_samples_with_one_kind_of_label_count_for_nothing() -> None:
    owners, labels = np.array([0, 0, 1]), np.array([True, True, False])
    one = ScoredPairs(owners, labels, np.array([2.0, 0.0, 1.0]))
    other = ScoredPairs(owners, labels, np.array([0.0, 0.5, 1.0]))
    assert paired_auc_difference(one, other, 50, 0) == (0.5, 0.5, 0.5, 2)


@pytest.mark.parametrize("change", ["users", "labels"])
def test_aucs_over_different_pairs_are_refused(change) -> None:
    one = pairs(12, 1)
    columns = {"users": one.users, "labels": one.labels, "scores": one.scores}
    other = ScoredPairs(**columns | {change: columns[change][::-1].copy()})
    with pytest.raises(InputError, match="different pairs"):
        paired_auc_difference(one, other, SAMPLES, 0)


SYSTEMS = {
    "crmman": {CTR: per_user(30, 1), RANKING: per_user(40, 2)},
    "crmman-flat": {CTR: per_user(30, 3), RANKING: per_user(40, 4)},
    "ease": {CTR: per_user(30, 5), RANKING: per_user(40, 6, shift=1.0)},
    "als": {CTR: per_user(30, 7, shift=0.5), RANKING: per_user(40, 8)},
    "partial": {RANKING: per_user(40, 8)},
}
VARIANTS, BASELINES = alone(["crmman", "crmman-flat"]), alone(["ease", "als", "partial"])
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
    apart = compare(SYSTEMS, alone(["crmman-flat"]), alone(["als"]), SAMPLES, 7, PAIRS)
    row = (pl.col("system") == "crmman-flat") & (pl.col("against") == "als")
    part = whole.filter(row)
    assert part.drop("difference", "low", "high").equals(apart.drop("difference", "low", "high"))
    for column in ("difference", "low", "high"):
        assert part[column].to_list() == pytest.approx(apart[column].to_list())
    expected = paired_difference(SYSTEMS["crmman-flat"][RANKING], SYSTEMS["als"][RANKING], SAMPLES, 7)
    assert apart.filter(metric="ndcg@10").row(0)[4:8] == pytest.approx(tuple(expected))


def test_the_seed_sets_the_intervals_and_nothing_else() -> None:
    first, again, other = (compare(SYSTEMS, VARIANTS, BASELINES, SAMPLES, seed, PAIRS) for seed in (7, 7, 8))
    assert first.equals(again)
    assert first["difference"].equals(other["difference"])
    assert not first["low"].equals(other["low"])


def test_the_best_baseline_of_each_metric_is_the_one_with_the_highest_mean() -> None:
    whole = compare(SYSTEMS, VARIANTS, BASELINES, SAMPLES, 7)
    found = against_best(whole)
    assert found.select("system", "metric", "against").rows() == [
        (variant, *best) for variant in VARIANTS for best in (("user_auc", "als"), ("ndcg@10", "ease"))
    ]
    assert len(found.join(whole, on=found.columns)) == len(found)


def test_of_equal_baselines_the_first_is_taken() -> None:
    for order in (["als", "partial"], ["partial", "als"]):
        whole = compare({**SYSTEMS, "ease": {}}, alone(["crmman"]), alone(order), SAMPLES, 7)
        found = against_best(whole).filter(metric="ndcg@10")
        assert found["against"].to_list() == order[:1]


def test_nothing_to_compare_is_an_empty_table() -> None:
    for systems, baselines in (({}, []), (SYSTEMS, []), (SYSTEMS, ["unheard of"])):
        found = against_best(compare(systems, VARIANTS, alone(baselines), SAMPLES, 7))
        assert found.is_empty()
        assert found.schema == SCHEMA


def test_a_protocol_with_one_kind_of_label_has_no_auc_to_compare() -> None:
    likes = {
        name: {"ctr": ScoredPairs(part["ctr"].users, np.ones(72, dtype=bool), part["ctr"].scores)}
        for name, part in PAIRS.items()
    }
    assert "auc" not in compare(SYSTEMS, VARIANTS, BASELINES, SAMPLES, 7, likes)["metric"].to_list()


RUNS = {f"a{run}": {RANKING: per_user(40, 20 + run, shift=0.03 * run)} for run in range(3)}
RUNS |= {f"b{run}": {RANKING: per_user(40, 30 + run)} for run in range(4)}
RUN_PAIRS = {name: {"ctr": pairs(12, seed)} for seed, name in enumerate(RUNS)}


def test_runs_are_drawn_with_the_users_and_each_side_draws_its_own() -> None:
    mine, theirs = ["a0", "a1", "a2"], ["b0", "b1", "b2", "b3"]
    found = compare(RUNS, {"a": mine}, {"b": theirs}, SAMPLES, 7, RUN_PAIRS)
    assert found.select("system", "metric", "against", "users", "runs").rows() == [
        ("a", "auc", "b", 12, 3),
        ("a", "ndcg@10", "b", 40, 3),
    ]
    means = {run: RUNS[run][RANKING].values for run in RUNS}
    random = stream(7, "paired bootstrap")
    weights = [
        run_weights(len(runs), SAMPLES, stream(7, f"runs of {name}")) for name, runs in (("a", mine), ("b", theirs))
    ]
    expected = []
    for sample in range(SAMPLES):
        drawn = random.integers(40, size=40)
        left = sum(weights[0][sample, place] * means[run][drawn].mean() for place, run in enumerate(mine))
        right = sum(weights[1][sample, place] * means[run][drawn].mean() for place, run in enumerate(theirs))
        expected.append(left - right)
    row = found.row(1, named=True)
    whole = np.mean([means[run].mean() for run in mine]) - np.mean([means[run].mean() for run in theirs])
    assert row["difference"] == pytest.approx(whole)
    assert (row["low"], row["high"]) == pytest.approx((np.percentile(expected, 2.5), np.percentile(expected, 97.5)))
    aucs = {run: roc_auc_score(RUN_PAIRS[run]["ctr"].labels, RUN_PAIRS[run]["ctr"].scores) for run in RUNS}
    whole = np.mean([aucs[run] for run in mine]) - np.mean([aucs[run] for run in theirs])
    assert found.row(0, named=True)["difference"] == pytest.approx(whole)


@pytest.mark.parametrize("runs", [2, 3, 5])
def test_the_weighted_mean_of_runs_varies_as_a_mean_of_so_many_should(runs) -> None:
    values = np.random.default_rng(1).normal(size=runs)
    weights = run_weights(runs, 40_000, np.random.default_rng(2))
    np.testing.assert_allclose(weights.sum(axis=1), 1.0)
    assert (weights @ values).mean() == pytest.approx(values.mean(), abs=0.01)
    assert (weights @ values).var() == pytest.approx(values.var(ddof=1) / runs, rel=0.03)


def test_one_run_counts_fully_in_every_sample() -> None:
    assert (run_weights(1, 30, np.random.default_rng(2)) == 1.0).all()


def test_equal_systems_whose_seeds_differ_more_than_their_users_are_held_apart_by_users_alone_and_not_by_both() -> None:
    users, trained = np.random.default_rng(0).random(300), np.random.default_rng(1).normal(0, 0.05, 24)
    systems = {str(run): {RANKING: PerUser(np.arange(300), users + shift)} for run, shift in enumerate(trained)}
    alone_apart = [
        paired_difference(systems[str(run)][RANKING], systems[str(run + 3)][RANKING], 50, 0).beyond_chance
        for run in range(0, 24, 6)
    ]
    assert all(alone_apart), "users who are shifted all alike leave no doubt of two runs"
    together = 0
    for first in range(0, 24, 6):
        runs = [str(run) for run in range(first, first + 6)]
        row = compare(systems, {"a": runs[:3]}, {"b": runs[3:]}, 400, 0).row(0, named=True)
        together += excludes_zero(row["low"], row["high"])
    assert together <= 1
