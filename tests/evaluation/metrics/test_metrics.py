from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sklearn.metrics import ndcg_score, roc_auc_score

from pipeline.evaluation.metrics import ndcg as metrics
from pipeline.evaluation.protocols.ranks import Standing, standing
from tests.evaluation import orders

RANDOMLY = settings(deadline=None, max_examples=80, derandomize=True)
# Few different scores, so that ties abound.
TIED_PAIRS = st.lists(st.tuples(st.integers(0, 3), st.booleans()), min_size=2, max_size=25)
# A user's list: scores that tie, and at least one relevant item.
TIED_LIST = st.lists(st.tuples(st.integers(0, 2), st.booleans()), min_size=1, max_size=5).filter(
    lambda cells: any(relevant for _, relevant in cells)
)
METRICS = {
    **{f"ndcg@{k}": (partial(metrics.ndcg, k=k), partial(orders.ndcg, k=k)) for k in (1, 2, 5, 10)},
    **{f"recall@{k}": (partial(metrics.recall, k=k), partial(orders.recall, k=k)) for k in (1, 2, 5, 10)},
    **{f"hit@{k}": (partial(metrics.hit, k=k), partial(orders.hit, k=k)) for k in (1, 2, 3, 5)},
    "reciprocal rank": (metrics.reciprocal_rank, orders.reciprocal_rank),
}
by_metric = pytest.mark.parametrize(("fast", "plain"), METRICS.values(), ids=METRICS.keys())


def stand(lists: list[list[tuple[float, bool]]]) -> Standing:
    """The standing of several users' lists."""
    user = np.repeat(np.arange(len(lists)), [len(cells) for cells in lists])
    scores, relevant = zip(*(cell for cells in lists for cell in cells), strict=True)
    return standing(user, np.array(scores, dtype=float), np.array(relevant))


def untied_list(random: np.random.Generator, length: int, relevant: int) -> list[tuple[float, bool]]:
    chosen = set(random.choice(length, size=relevant, replace=False).tolist())
    return [(float(score), place in chosen) for place, score in enumerate(random.permutation(length))]


@by_metric
def test_without_ties_a_metric_is_what_plain_python_counts(fast, plain) -> None:
    random = np.random.default_rng(1)
    lists = [untied_list(random, length, relevant) for length in (1, 4, 12, 30) for relevant in {1, length // 2 or 1}]
    expected = [plain(orders.ranked(*zip(*cells, strict=True))) for cells in lists]
    np.testing.assert_allclose(fast(stand(lists)), expected, rtol=1e-12)


@pytest.mark.parametrize("k", [1, 5, 10])
def test_without_ties_ndcg_is_that_of_scikit_learn(k) -> None:
    random = np.random.default_rng(2)
    lists = [untied_list(random, 25, relevant) for relevant in (1, 3, 12, 25)]
    expected = [
        ndcg_score([[relevant for _, relevant in cells]], [[score for score, _ in cells]], k=k) for cells in lists
    ]
    np.testing.assert_allclose(metrics.ndcg(stand(lists), k), expected, rtol=1e-12)


@by_metric
@RANDOMLY
@given(lists=st.lists(TIED_LIST, min_size=1, max_size=3))
def test_with_ties_a_metric_is_its_mean_over_all_orders_of_the_tied(fast, plain, lists) -> None:
    expected = [orders.mean_over_orders(*zip(*cells, strict=True), plain) for cells in lists]
    np.testing.assert_allclose(fast(stand(lists)), expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("k", [5, 10, 40])
def test_a_constant_score_has_the_ndcg_of_a_random_order(k) -> None:
    size, relevant = 30, 7
    cells = [(0.5, place < relevant) for place in range(size)]
    discounts = [1 / np.log2(place + 1) for place in range(1, size + 1)]
    expected = relevant / size * sum(discounts[:k]) / sum(discounts[: min(k, relevant)])
    assert metrics.ndcg(stand([cells]), k)[0] == pytest.approx(expected, rel=1e-12)


@RANDOMLY
@given(TIED_PAIRS)
def test_auc_with_ties_is_that_of_scikit_learn(pairs) -> None:
    scores, labels = np.array([s for s, _ in pairs], dtype=np.float32), np.array([label for _, label in pairs])
    assume(labels.any() and not labels.all())
    assert metrics.auc(scores, labels) == pytest.approx(roc_auc_score(labels, scores), rel=1e-12)


@RANDOMLY
@given(TIED_PAIRS, st.data())
def test_a_weight_counts_like_repeating_the_pair(pairs, data) -> None:
    scores, labels = np.array([float(s) for s, _ in pairs]), np.array([label for _, label in pairs])
    times = np.array(data.draw(st.lists(st.integers(0, 3), min_size=len(pairs), max_size=len(pairs))))
    repeated = np.repeat(labels, times)
    found = metrics.auc(scores, labels, times.astype(float))
    if repeated.any() and not repeated.all():
        assert found == pytest.approx(roc_auc_score(repeated, np.repeat(scores, times)), rel=1e-12)
    else:
        assert np.isnan(found)


def test_a_constant_score_has_an_auc_of_exactly_one_half() -> None:
    labels = np.arange(37) % 3 == 0
    assert metrics.auc(np.zeros(37), labels) == 0.5
    users, values = metrics.auc_per_user(np.zeros(37, dtype=np.int64), np.zeros(37), labels)
    assert (users.tolist(), values.tolist()) == ([0], [0.5])


@RANDOMLY
@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 2), st.booleans()), max_size=40))
def test_auc_per_user_is_that_of_scikit_learn_for_each_user_with_both_kinds(triples) -> None:
    user = np.array([u * 7 for u, _, _ in triples], dtype=np.int64)
    scores, labels = np.array([float(s) for _, s, _ in triples]), np.array([label for _, _, label in triples], bool)
    expected = {
        u: roc_auc_score(labels[user == u], scores[user == u])
        for u in sorted(set(user.tolist()))
        if labels[user == u].any() and not labels[user == u].all()
    }
    users, values = metrics.auc_per_user(user, scores, labels)
    assert users.tolist() == list(expected)
    np.testing.assert_allclose(values, list(expected.values()), rtol=1e-12)
