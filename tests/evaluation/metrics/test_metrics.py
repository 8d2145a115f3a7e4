from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sklearn.metrics import ndcg_score, roc_auc_score

from pipeline.evaluation.metrics import auc
from pipeline.evaluation.metrics.auc import pooled_auc, user_auc
from pipeline.evaluation.metrics.hit import hit
from pipeline.evaluation.metrics.ndcg import ndcg
from pipeline.evaluation.metrics.recall import recall
from pipeline.evaluation.metrics.reciprocal_rank import reciprocal_rank
from pipeline.evaluation.protocols.ranks import Standing, standing
from pipeline.evaluation.protocols.split import ScoredPairs
from tests.evaluation import orders

RANDOMLY = settings(deadline=None, max_examples=80, derandomize=True)
# Few different scores, so that ties abound.
TIED_PAIRS = st.lists(st.tuples(st.integers(0, 3), st.booleans()), min_size=2, max_size=25)
# A user's list: scores that tie, and at least one relevant item.
TIED_LIST = st.lists(st.tuples(st.integers(0, 2), st.booleans()), min_size=1, max_size=5).filter(
    lambda cells: any(relevant for _, relevant in cells)
)
METRICS = {
    **{f"ndcg@{k}": (partial(ndcg, k=k), partial(orders.ndcg, k=k)) for k in (1, 2, 5, 10)},
    **{f"recall@{k}": (partial(recall, k=k), partial(orders.recall, k=k)) for k in (1, 2, 5, 10)},
    **{f"hit@{k}": (partial(hit, k=k), partial(orders.hit, k=k)) for k in (1, 2, 3, 5)},
    "reciprocal rank": (reciprocal_rank, orders.reciprocal_rank),
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
    np.testing.assert_allclose(ndcg(stand(lists), k), expected, rtol=1e-12)


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
    assert ndcg(stand([cells]), k)[0] == pytest.approx(expected, rel=1e-12)


@RANDOMLY
@given(TIED_PAIRS)
def test_auc_with_ties_is_that_of_scikit_learn(pairs) -> None:
    scores, labels = np.array([s for s, _ in pairs], dtype=np.float32), np.array([label for _, label in pairs])
    assume(labels.any() and not labels.all())
    found = pooled_auc(ScoredPairs(np.arange(len(pairs)), labels, scores)).value
    assert found == pytest.approx(roc_auc_score(labels, scores), rel=1e-12)


@RANDOMLY
@given(TIED_PAIRS, st.data())
def test_in_a_sample_a_users_pairs_count_as_often_as_the_user_is_drawn(pairs, data) -> None:
    scores, labels = np.array([float(s) for s, _ in pairs]), np.array([label for _, label in pairs])
    owners = np.array(data.draw(st.lists(st.integers(0, 4), min_size=len(pairs), max_size=len(pairs)))) * 3 + 1
    of_users = pooled_auc(ScoredPairs(owners, labels, scores))
    names, place = np.unique(owners, return_inverse=True)
    assert of_users.users == len(names)
    counts = st.lists(st.integers(0, 3), min_size=len(names), max_size=len(names))
    times = np.array(data.draw(st.lists(counts, min_size=1, max_size=3)))
    for row, found in zip(times, of_users.of(times.astype(float)), strict=True):
        repeated = np.repeat(labels, row[place])
        if repeated.any() and not repeated.all():
            assert found == pytest.approx(roc_auc_score(repeated, np.repeat(scores, row[place])), rel=1e-12)
        else:
            assert np.isnan(found)


@pytest.mark.parametrize("together", [1, 7, 200])
def test_samples_that_are_summed_together_change_no_byte(monkeypatch, together) -> None:
    random = np.random.default_rng(3)
    labels = random.random(90) < 0.4
    of_users = pooled_auc(ScoredPairs(random.integers(12, size=90), labels, np.round(random.normal(labels, 1.0))))
    times = random.integers(0, 4, size=(20, of_users.users)).astype(float)
    whole = of_users.of(times)
    monkeypatch.setattr(auc, "TOGETHER", together)
    assert of_users.of(times).tobytes() == whole.tobytes()


def test_a_constant_score_has_an_auc_of_exactly_one_half() -> None:
    labels = np.arange(37) % 3 == 0
    of_one = ScoredPairs(np.zeros(37, dtype=np.int64), labels, np.zeros(37))
    assert pooled_auc(of_one).value == 0.5
    found = user_auc(of_one)
    assert (found.users.tolist(), found.values.tolist()) == ([0], [0.5])


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
    found = user_auc(ScoredPairs(user, labels, scores))
    assert found.users.tolist() == list(expected)
    np.testing.assert_allclose(found.values, list(expected.values()), rtol=1e-12)
