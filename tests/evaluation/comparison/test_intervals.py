from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score, roc_auc_score

from pipeline.evaluation.comparison.intervals import mean_figure, pooled_figure
from pipeline.evaluation.metrics.auc import pooled_auc
from pipeline.evaluation.metrics.threshold import accuracy, f1
from pipeline.evaluation.protocols.split import PerUser, ScoredPairs

SAMPLES = 200


def per_user(count: int, seed: int = 0) -> PerUser:
    return PerUser(np.arange(count), np.random.default_rng(seed).random(count))


def pairs(users: int, seed: int = 0, each: int = 6) -> ScoredPairs:
    """Users by names with gaps, both labels, scores that tell a little and tie a lot."""
    random = np.random.default_rng(seed)
    labels = random.random(users * each) < 0.5
    scores = np.round(random.normal(labels * 0.8, 1.0))
    return ScoredPairs(random.permutation(np.repeat(np.arange(users) * 3 + 1, each)), labels, scores)


FIGURES = {
    "mean": lambda users, random: mean_figure(per_user(users), SAMPLES, random),
    "pooled auc": lambda users, random: pooled_figure(pooled_auc(pairs(users)), SAMPLES, random),
    "accuracy": lambda users, random: pooled_figure(accuracy(pairs(users), 0.5), SAMPLES, random),
    "f1": lambda users, random: pooled_figure(f1(pairs(users), 0.5), SAMPLES, random),
}
by_figure = pytest.mark.parametrize("figure", FIGURES.values(), ids=FIGURES.keys())


@by_figure
def test_an_interval_holds_its_value_and_counts_its_users(figure) -> None:
    found = figure(50, np.random.default_rng(1))
    assert found.low < found.value < found.high
    assert found.users == 50


@by_figure
def test_four_times_the_users_halve_an_interval(figure) -> None:
    few, many = figure(60, np.random.default_rng(1)), figure(960, np.random.default_rng(1))
    assert (few.high - few.low) / (many.high - many.low) == pytest.approx(4, rel=0.35)


@by_figure
def test_the_same_stream_gives_the_same_interval_and_another_one_does_not(figure) -> None:
    assert figure(30, np.random.default_rng(1)) == figure(30, np.random.default_rng(1))
    other = figure(30, np.random.default_rng(2))
    assert (other.low, other.high) != figure(30, np.random.default_rng(1))[1:3]
    assert other.value == figure(30, np.random.default_rng(1)).value


def test_the_interval_of_a_mean_is_that_of_means_over_drawn_users() -> None:
    values = per_user(15)
    random = np.random.default_rng(5)
    means = []
    for _ in range(SAMPLES):
        drawn = [values.values[user] for user in random.integers(15, size=15)]
        means.append(sum(drawn) / len(drawn))
    found = mean_figure(values, SAMPLES, np.random.default_rng(5))
    assert found.value == pytest.approx(sum(values.values) / 15)
    assert (found.low, found.high) == pytest.approx((np.percentile(means, 2.5), np.percentile(means, 97.5)))


def repeated(data: ScoredPairs, seed: int) -> list[np.ndarray]:
    """Positions of the pairs of each bootstrap sample: whole users are drawn, and their pairs repeated with them."""
    random = np.random.default_rng(seed)
    names = sorted(set(data.users.tolist()))
    samples = []
    for _ in range(SAMPLES):
        drawn = [names[place] for place in random.integers(len(names), size=len(names))]
        samples.append(np.concatenate([np.flatnonzero(data.users == name) for name in drawn]))
    return samples


def test_the_interval_of_a_pooled_auc_repeats_the_pairs_of_drawn_users() -> None:
    data = pairs(12)
    aucs = [roc_auc_score(data.labels[chosen], data.scores[chosen]) for chosen in repeated(data, 5)]
    found = pooled_figure(pooled_auc(data), SAMPLES, np.random.default_rng(5))
    assert found.value == pytest.approx(roc_auc_score(data.labels, data.scores))
    assert (found.low, found.high) == pytest.approx((np.percentile(aucs, 2.5), np.percentile(aucs, 97.5)))


@pytest.mark.parametrize(("metric", "reference"), [(accuracy, accuracy_score), (f1, f1_score)])
def test_accuracy_and_f1_and_their_intervals_are_those_of_scikit_learn(metric, reference) -> None:
    data, threshold = pairs(12), 1.0
    called = data.scores >= threshold
    values = [reference(data.labels[chosen], called[chosen]) for chosen in repeated(data, 5)]
    found = pooled_figure(metric(data, threshold), SAMPLES, np.random.default_rng(5))
    assert found.value == pytest.approx(reference(data.labels, called))
    assert (found.low, found.high) == pytest.approx((np.percentile(values, 2.5), np.percentile(values, 97.5)))
