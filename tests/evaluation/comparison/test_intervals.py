from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, f1_score, roc_auc_score

from pipeline.evaluation.comparison.intervals import best_threshold, mean_figure, pooled_auc_figure, threshold_figures
from pipeline.evaluation.protocols.split import PerUser, ScoredPairs

RANDOMLY = settings(deadline=None, max_examples=80, derandomize=True)
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
    "pooled auc": lambda users, random: pooled_auc_figure(pairs(users), SAMPLES, random),
    "accuracy": lambda users, random: threshold_figures(pairs(users), 0.5, SAMPLES, random)["accuracy"],
    "f1": lambda users, random: threshold_figures(pairs(users), 0.5, SAMPLES, random)["f1"],
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


def repeated(data: ScoredPairs, seed: int, rounds: int = 1) -> list[np.ndarray]:
    """Positions of the pairs of each bootstrap sample: whole users are drawn, and their pairs repeated with them.

    Args:
        rounds: figures drawn from the same stream so far, this one included.
    """
    random = np.random.default_rng(seed)
    names = sorted(set(data.users.tolist()))
    samples = []
    for _ in range(rounds * SAMPLES):
        drawn = [names[place] for place in random.integers(len(names), size=len(names))]
        samples.append(np.concatenate([np.flatnonzero(data.users == name) for name in drawn]))
    return samples[-SAMPLES:]


def test_the_interval_of_a_pooled_auc_repeats_the_pairs_of_drawn_users() -> None:
    data = pairs(12)
    aucs = [roc_auc_score(data.labels[chosen], data.scores[chosen]) for chosen in repeated(data, 5)]
    found = pooled_auc_figure(data, SAMPLES, np.random.default_rng(5))
    assert found.value == pytest.approx(roc_auc_score(data.labels, data.scores))
    assert (found.low, found.high) == pytest.approx((np.percentile(aucs, 2.5), np.percentile(aucs, 97.5)))


@pytest.mark.parametrize(("name", "reference", "rounds"), [("accuracy", accuracy_score, 1), ("f1", f1_score, 2)])
def test_accuracy_and_f1_and_their_intervals_are_those_of_scikit_learn(name, reference, rounds) -> None:
    data, threshold = pairs(12), 1.0
    called = data.scores >= threshold
    values = [reference(data.labels[chosen], called[chosen]) for chosen in repeated(data, 5, rounds)]
    found = threshold_figures(data, threshold, SAMPLES, np.random.default_rng(5))[name]
    assert found.value == pytest.approx(reference(data.labels, called))
    assert (found.low, found.high) == pytest.approx((np.percentile(values, 2.5), np.percentile(values, 97.5)))


@pytest.mark.parametrize("threshold", [-100.0, 100.0])
def test_calling_everything_or_nothing_a_like_is_counted_right(threshold) -> None:
    data = pairs(12)
    found = threshold_figures(data, threshold, 20, np.random.default_rng(0))
    called = data.scores >= threshold
    assert found["accuracy"].value == pytest.approx(accuracy_score(data.labels, called))
    assert found["f1"].value == pytest.approx(f1_score(data.labels, called, zero_division=0))


@RANDOMLY
@given(st.lists(st.tuples(st.integers(-3, 3), st.booleans()), min_size=1, max_size=15))
def test_the_best_threshold_has_the_best_accuracy_of_all_cuts(cells) -> None:
    scores, labels = np.array([float(s) for s, _ in cells]), np.array([label for _, label in cells])
    threshold = best_threshold(ScoredPairs(np.zeros(len(cells), dtype=np.int64), labels, scores))
    cuts = [*sorted(set(scores)), max(scores) + 1]
    best = max(np.mean((scores >= cut) == labels) for cut in cuts)
    assert np.mean((scores >= threshold) == labels) == best


def test_the_best_threshold_lies_in_the_middle_between_two_scores() -> None:
    labels = np.array([True, False, True, False])
    assert best_threshold(ScoredPairs(np.arange(4), labels, np.array([3.0, 1.0, 4.0, 2.0]))) == 2.5
