from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.sparse import csr_matrix
from sklearn.ensemble import HistGradientBoostingClassifier

from pipeline.common.random_streams import stream
from pipeline.data.dataset import Dataset
from pipeline.evaluation.baselines import pair_features, trees
from pipeline.evaluation.baselines.pair_features import PairFeatures, overlaps
from pipeline.evaluation.baselines.trees import Forest, Trees, TreesGrid, disliked_pairs, learned_from, unrated_pairs
from pipeline.evaluation.metrics.evaluated import evaluate_split
from tests.evaluation.worlds import dataset, planted_dataset, random_dataset, random_rows, unrated_rows, without_ties

USERS, ITEMS = 20, 15
Array = np.ndarray[Any, Any]


def some_entities(items: int = ITEMS, entities: int = 8) -> csr_matrix:
    random = np.random.default_rng(5)
    around = (random.random((items, entities)) < 0.3).astype(np.float32)
    around[3] = 0
    return csr_matrix(around)


def world(users: int = USERS, items: int = ITEMS) -> Dataset:
    data = random_dataset(users, items, 0.5, 1)
    data.entities = some_entities(items)
    return data


def without_dislikes() -> Dataset:
    rows = [row | {"like": True, "rating": 5.0} for row in random_rows(USERS, ITEMS, 0.3, 0)]
    data = dataset(rows, unrated_rows(rows, USERS, ITEMS, 0), USERS, ITEMS)
    data.entities = some_entities()
    return data


def cosine(one: Array, other: Array) -> float:
    norms = np.linalg.norm(one) * np.linalg.norm(other)
    return float(one @ other / norms) if norms else 0.0


def slow_overlaps(around: Array) -> Array:
    weighted = around * [np.log(len(around) / has) if has else 0.0 for has in around.sum(axis=0)]
    return np.array(
        [[0.0 if i == j else cosine(weighted[i], weighted[j]) for j in range(len(around))] for i in range(len(around))]
    )


def slow_features(
    user: int, item: int, histories: list[Array], counted: Array, overlap: Array, without: list[int]
) -> list[float]:
    """One pair, by the definition."""
    found = [overlap[item].sum()]
    likes = histories[0][counted]
    for given, left_out in zip(histories, without, strict=True):
        counts = given[counted].sum(axis=0) * len(counted) / counted.sum()
        history = [other for other in np.flatnonzero(given[user]) if other != left_out]
        total = sum(overlap[item, other] * counts[other] for other in range(len(overlap)))
        found += [counts[item], total, total / found[0] if found[0] else np.nan]
        if not history:
            found += [np.nan] * 5
            continue
        overlapping = [overlap[item, other] for other in history]
        together = [cosine(given[counted][:, other], likes[:, item]) if other != item else 0.0 for other in history]
        found += [max(overlapping), np.mean(overlapping), max(together), np.mean(together), counts[history].mean()]
    return found


def test_items_overlap_by_the_cosine_of_what_is_around_them_rare_entities_counting_more() -> None:
    around = some_entities()
    np.testing.assert_allclose(
        overlaps(around).toarray(), slow_overlaps(around.toarray().astype(np.float64)), atol=1e-12
    )


def test_of_too_many_pairs_the_commonest_entities_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    around = some_entities().toarray()
    having = around.sum(axis=0)
    common = np.argsort(having, kind="stable")[-2:]
    monkeypatch.setattr(pair_features, "MOST_PAIRS", (having**2).sum() - (having[common] ** 2).sum())
    weighted = around * np.log(ITEMS / having)
    weighted[:, common] = 0
    expected = [[0.0 if i == j else cosine(weighted[i], weighted[j]) for j in range(ITEMS)] for i in range(ITEMS)]
    np.testing.assert_allclose(overlaps(csr_matrix(around)).toarray(), expected, atol=1e-12)


@pytest.mark.parametrize("counted", [np.ones(USERS, dtype=bool), np.arange(USERS) % 3 != 0])
@pytest.mark.parametrize("data", [world(), without_dislikes()])
def test_features_are_those_of_the_definition(data: Dataset, counted: Array) -> None:
    histories = [data.train_likes, data.train_dislikes][: 1 + (data.train_dislikes.nnz > 0)]
    dense = [matrix.toarray().astype(np.float64) for matrix in histories]
    overlap = slow_overlaps(some_entities().toarray())
    features = PairFeatures(overlaps(some_entities()), tuple(m.astype(np.float64) for m in histories), counted)
    nothing = [-1] * len(histories)
    for user in range(USERS):
        expected = [slow_features(user, item, dense, counted, overlap, nothing) for item in range(ITEMS)]
        np.testing.assert_allclose(features.of_user(user), expected, rtol=1e-5, atol=1e-6)
    random = np.random.default_rng(2)
    users, items = np.sort(random.integers(USERS, size=200)), random.integers(ITEMS, size=200)
    # An item of each history is left out of it, or none where there is none.
    out = [
        np.array([random.choice(np.flatnonzero(given[user])) if given[user].any() else -1 for user in users])
        for given in dense
    ]
    expected = [
        slow_features(user, item, dense, counted, overlap, [int(values[place]) for values in out])
        for place, (user, item) in enumerate(zip(users, items, strict=True))
    ]
    np.testing.assert_allclose(features.of_pairs(users, items, tuple(out)), expected, rtol=1e-5, atol=1e-6)


def test_trees_learn_from_counts_of_other_users_and_histories_without_what_is_asked_for() -> None:
    data, fold = world(), np.arange(USERS) % trees.FOLDS
    users, likes, others = disliked_pairs(data, stream(0, "test"))
    _, (found, labels) = learned_from(data, fold, [unrated_pairs(data, 1, stream(0, "test")), (users, likes, others)])
    dense = [matrix.toarray().astype(np.float64) for matrix in (data.train_likes, data.train_dislikes)]
    overlap = slow_overlaps(some_entities().toarray())
    expected, kinds = [], []
    for number in range(trees.FOLDS):
        for user, like, other in zip(users, likes, others, strict=True):
            if fold[user] == number:
                for item in (like, other):
                    expected.append(slow_features(user, item, dense, fold != number, overlap, [int(like), int(other)]))
                    kinds.append(item == like)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
    assert labels.tolist() == kinds


def test_an_unrated_item_is_taken_out_of_no_history() -> None:
    data, fold = world(), np.arange(USERS) % trees.FOLDS
    users, likes, others = unrated_pairs(data, 2, stream(0, "test"))
    found, _ = learned_from(data, fold, [(users, likes, others)])[0]
    dense = [matrix.toarray().astype(np.float64) for matrix in (data.train_likes, data.train_dislikes)]
    overlap = slow_overlaps(some_entities().toarray())
    first = np.flatnonzero(fold[users] == 0)
    for place, pair in enumerate(first):
        expected = slow_features(users[pair], others[pair], dense, fold != 0, overlap, [int(likes[pair]), -1])
        np.testing.assert_allclose(found[2 * place + 1], expected, rtol=1e-5, atol=1e-6)


def test_what_is_drawn_for_a_like_is_unrated_in_training_or_a_dislike_of_the_user() -> None:
    data = random_dataset(40, 30, 0.6)
    likes, dislikes = data.train_likes.toarray() > 0, data.train_dislikes.toarray() > 0
    users, liked, drawn = unrated_pairs(data, 3, stream(0, "test"))
    assert likes[users, liked].all()
    assert not (likes | dislikes)[users, drawn].any()
    assert len(users) == 3 * likes.sum()
    assert len(set(drawn)) == 30
    users, liked, drawn = disliked_pairs(data, stream(0, "test"))
    assert likes[users, liked].all()
    assert dislikes[users, drawn].all()
    assert len(users) == likes[dislikes.any(axis=1)].sum()


def test_a_user_who_rated_everything_is_told_from_nothing() -> None:
    rows = [{"user": u, "item": i, "like": True, "rating": 5.0, "split": "train"} for u, i in [(0, 0), (0, 1), (1, 1)]]
    users, _, drawn = unrated_pairs(dataset(rows, [], 2, 2), 5, stream(0, "test"))
    assert set(users) == {1}
    assert set(drawn) == {0}


def test_no_more_likes_are_learned_from_than_the_most(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trees, "MOST_LIKES", 7)
    data = world()
    users, likes, _ = unrated_pairs(data, 2, stream(0, "test"))
    assert len(users) == 14
    assert len(set(zip(users, likes, strict=True))) == 7
    assert (np.diff(users) >= 0).all()


@pytest.mark.parametrize("leaves", [2, 15])
def test_the_forest_says_what_the_classifier_says(leaves) -> None:
    random = np.random.default_rng(0)
    features = random.normal(size=(500, 4)).astype(np.float32)
    features[random.random(features.shape) < 0.2] = np.nan
    label = np.nan_to_num(features[:, 0]) + np.isnan(features[:, 1]) + random.normal(size=500) > 0.3
    classifier = HistGradientBoostingClassifier(max_iter=12, max_leaf_nodes=leaves).fit(features, label)
    expected = classifier.decision_function(features)
    assert len(set(expected)) > 10
    np.testing.assert_allclose(Forest(classifier).score(features), expected, atol=1e-12)


def test_it_finds_planted_groups_that_a_random_order_does_not() -> None:
    data = planted_dataset(80)
    data.entities = some_entities(60)
    model = Trees.fit(data, 20, 8, 0.2, 2, 0)
    found, random = (evaluate_split(scorer, data, "test") for scorer in (model, without_ties(80, 60, 0)))
    for figure in ("ctr.user_auc", "impression.user_auc"):
        assert found.value(figure) > random.value(figure) + 0.3
    assert found.value("ranking.ndcg@10") > 2 * random.value("ranking.ndcg@10")


def test_without_dislikes_one_classifier_answers_both_questions() -> None:
    scores = Trees.fit(without_dislikes(), 3, 4, 0.2, 2, 0).score(np.arange(USERS))
    assert scores.judgement is scores.preference


def test_a_judgement_is_the_forests_of_the_pair() -> None:
    model = Trees.fit(world(), 3, 4, 0.2, 2, 0)
    users, rows, items = np.array([7, 3, 1]), np.array([0, 0, 2, 1]), np.array([4, 9, 0, 9])
    scores = model.score(users)
    assert model.judgement is not None
    expected = [
        model.judgement.score(model.features.of_user(users[row]))[item] for row, item in zip(rows, items, strict=True)
    ]
    np.testing.assert_allclose(scores.judgement[rows, items], expected)
    assert not np.allclose(expected, scores.preference[rows, items])


def test_the_same_seed_gives_the_same_scores_and_another_one_does_not() -> None:
    first, again, other = (Trees.fit(world(), 5, 4, 0.2, 1, seed).score(np.arange(5)).preference for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize(("most", "runs"), [(300, True), (299, False)])
def test_they_are_left_out_beyond_their_number_of_pairs(most, runs) -> None:
    grid = TreesGrid(iterations=[1], leaves=[2], learning_rate=[0.1], negatives=[1], max_pairs=most)
    assert (grid.left_out(world()) is None) == runs
