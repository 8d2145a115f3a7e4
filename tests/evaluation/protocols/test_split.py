from __future__ import annotations

from collections import defaultdict
from functools import partial

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from pipeline.common.errors import InputError
from pipeline.data.dataset import Dataset
from pipeline.evaluation.metrics.evaluated import Evaluated, evaluate_split
from pipeline.evaluation.protocols import catalogue
from pipeline.evaluation.protocols import split as protocols
from pipeline.evaluation.protocols.scores import Scores, scores_of
from pipeline.evaluation.protocols.split import score_split
from tests.evaluation import orders
from tests.evaluation.worlds import (
    SCHEMA,
    Fixed,
    Rows,
    dataset,
    oracle,
    random_dataset,
    random_rows,
    unrated_rows,
    without_ties,
)

USERS, ITEMS = 12, 40
RANKING = {
    "ndcg@5": partial(orders.ndcg, k=5),
    "ndcg@10": partial(orders.ndcg, k=10),
    "recall@10": partial(orders.recall, k=10),
    "recall@20": partial(orders.recall, k=20),
    "hit@10": partial(orders.hit, k=10),
}
IMPRESSION = {
    "mrr": orders.reciprocal_rank,
    "ndcg@5": partial(orders.ndcg, k=5),
    "ndcg@10": partial(orders.ndcg, k=10),
}
RERANKING = {"ndcg@5": partial(orders.ndcg, k=5), "f1@5": partial(orders.f1, k=5)}
both_splits = pytest.mark.parametrize(("split", "earlier"), [("valid", {"train"}), ("test", {"train", "valid"})])


class SlowReference:
    """The protocols as evaluation.md words them, user by user with Python's sets."""

    def __init__(self, rows: Rows, drawn: Rows, table: NDArray[np.float32], split: str, earlier: set[str]) -> None:
        self.users, self.items = table.shape
        self.table = table
        self.liked, self.disliked, self.unrated, self.known = (defaultdict(set) for _ in range(4))
        for row in rows:
            if row["split"] in earlier:
                self.known[row["user"]].add(row["item"])
            if row["split"] == split:
                (self.liked if row["like"] else self.disliked)[row["user"]].add(row["item"])
        for row in drawn:
            if row["split"] == split:
                self.unrated[row["user"]].add(row["item"])

    def list_of(self, user: int, candidates: set[int]) -> list[bool]:
        ordered = sorted(candidates)
        return orders.ranked([self.table[user, i] for i in ordered], [i in self.liked[user] for i in ordered])

    def pairs(self, other: dict[int, set[int]]) -> set[tuple[int, bool, float]]:
        liked = {(u, True, float(self.table[u, i])) for u in self.liked for i in self.liked[u]}
        return liked | {(u, False, float(self.table[u, i])) for u in other for i in other[u]}

    def user_auc(self, other: dict[int, set[int]]) -> dict[int, float]:
        values = {}
        for user in range(self.users):
            if self.liked[user] and other[user]:
                candidates = [*self.liked[user], *other[user]]
                labels = [item in self.liked[user] for item in candidates]
                values[user] = roc_auc_score(labels, self.table[user, candidates])
        return values

    def per_user(self) -> dict[tuple[str, str], dict[int, float]]:
        everything = set(range(self.items))
        found = {
            ("ctr", "user_auc"): self.user_auc(self.unrated),
            ("impression", "user_auc"): self.user_auc(self.disliked),
        }
        shown = {u: self.list_of(u, self.liked[u] | self.disliked[u]) for u in found["impression", "user_auc"]}
        ranked = {u: self.list_of(u, everything - self.known[u]) for u in range(self.users) if self.liked[u]}
        own = {u: self.list_of(u, self.liked[u] | self.disliked[u]) for u in range(self.users) if self.liked[u]}
        for protocol, functions, lists in (
            ("impression", IMPRESSION, shown),
            ("reranking", RERANKING, own),
            ("ranking", RANKING, ranked),
        ):
            for name, function in functions.items():
                found[protocol, name] = {user: function(relevance) for user, relevance in lists.items()}
        return found

    def coverage(self) -> float:
        first: set[int] = set()
        for user in range(self.users):
            if self.liked[user]:
                candidates = set(range(self.items)) - self.known[user]
                first |= set(sorted(candidates, key=lambda item: -self.table[user, item])[:10])
        return len(first) / self.items


def values_of(evaluated: Evaluated) -> dict[tuple[str, str], dict[int, float]]:
    return {
        key: dict(zip(found.users.tolist(), found.values.tolist(), strict=True))
        for key, found in evaluated.per_user.items()
    }


@both_splits
@pytest.mark.parametrize(
    ("items", "density", "seed"), [(ITEMS, 0.5, 0), (ITEMS, 0.2, 1), (11, 0.7, 2), (5000, 0.004, 3)]
)
def test_candidates_and_metrics_are_those_that_sets_give(split, earlier, items, density, seed) -> None:
    rows = random_rows(USERS, items, density, seed)
    drawn = unrated_rows(rows, USERS, items, seed)
    scorer = without_ties(USERS, items, seed)

    evaluated = evaluate_split(scorer, dataset(rows, drawn, USERS, items), split)

    slow = SlowReference(rows, drawn, scorer.table, split, earlier)
    expected = slow.per_user()
    found = values_of(evaluated)
    assert found.keys() == expected.keys()
    for key, values in expected.items():
        assert found[key] == pytest.approx(values, rel=1e-9), key
    for pairs, other in ((evaluated.scored.ctr, slow.unrated), (evaluated.scored.impression, slow.disliked)):
        triples = list(zip(pairs.users.tolist(), pairs.labels.tolist(), pairs.scores.tolist(), strict=True))
        assert len(triples) == len(set(triples))
        assert set(triples) == slow.pairs(other)
    assert evaluated.scored.coverage == pytest.approx(slow.coverage())


def test_what_a_user_knows_does_not_fill_up_a_short_first_ten() -> None:
    rows = [{"user": 0, "item": item, "like": True, "rating": 5, "split": "train"} for item in range(8)]
    rows.append({"user": 0, "item": 9, "like": True, "rating": 5, "split": "test"})
    # Items 8 to 11 are left to recommend, four of twelve.
    assert evaluate_split(without_ties(1, 12, 0), dataset(rows, [], 1, 12), "test").scored.coverage == pytest.approx(
        4 / 12
    )


def test_users_without_a_test_like_or_without_both_kinds_are_left_out_where_they_cannot_count() -> None:
    rows = [
        {"user": 0, "item": 0, "like": True, "rating": 5, "split": "train"},
        {"user": 0, "item": 1, "like": False, "rating": 1, "split": "test"},  # a dislike only
        {"user": 1, "item": 0, "like": True, "rating": 5, "split": "train"},
        {"user": 1, "item": 1, "like": True, "rating": 5, "split": "test"},  # a like only
        {"user": 2, "item": 0, "like": True, "rating": 5, "split": "train"},  # nothing
        {"user": 3, "item": 0, "like": True, "rating": 5, "split": "test"},  # both
        {"user": 3, "item": 1, "like": False, "rating": 1, "split": "test"},
    ]
    drawn = [{"user": 3, "item": 2, "split": "test"}]
    evaluated = evaluate_split(without_ties(4, 3, 0), dataset(rows, drawn, 4, 3), "test")
    assert {key: found.users.tolist() for key, found in evaluated.per_user.items()} == {
        ("ctr", "user_auc"): [3],
        **{("impression", name): [3] for name in ("user_auc", *IMPRESSION)},
        **{("reranking", name): [1, 3] for name in RERANKING},
        **{("ranking", name): [1, 3] for name in RANKING},
    }


def best_f1(data: Dataset, split: str) -> NDArray[np.float64]:
    likes, dislikes = (np.bincount(pairs.users, minlength=USERS) for pairs in (data.liked(split), data.disliked(split)))
    lists = zip(likes[likes > 0], dislikes[likes > 0], strict=True)
    return np.array([orders.f1([True] * many + [False] * few, 5) for many, few in lists])


@both_splits
@pytest.mark.parametrize("cells", [1, 3 * ITEMS, 5 * ITEMS + 1])
@pytest.mark.parametrize("counted_from", [1, 10**6])
def test_the_size_of_a_block_changes_nothing(monkeypatch, cells, split, earlier, counted_from) -> None:
    monkeypatch.setattr(catalogue, "COUNTED_ITEMS", counted_from)
    data, scorer = random_dataset(USERS, ITEMS, 0.2), without_ties(USERS, ITEMS, 3)
    whole = evaluate_split(scorer, data, split)
    monkeypatch.setattr(protocols, "BLOCK_CELLS", cells)
    asked: list[int] = []

    class Watched:
        def score(self, users: NDArray[np.int64]) -> NDArray[np.float32]:
            asked.append(len(users))
            return scorer.score(users)

    in_blocks = evaluate_split(Watched(), data, split)
    assert max(asked) == max(cells // ITEMS, 1)
    assert sum(asked) == USERS
    assert values_of(in_blocks) == values_of(whole)
    assert in_blocks.scored.coverage == whole.scored.coverage
    for name in ("ctr", "impression"):
        np.testing.assert_array_equal(getattr(in_blocks.scored, name).scores, getattr(whole.scored, name).scores)
        np.testing.assert_array_equal(getattr(in_blocks.scored, name).labels, getattr(whole.scored, name).labels)


@pytest.mark.parametrize("split", ["valid", "test"])
def test_a_perfect_oracle_gets_one_everywhere(split) -> None:
    # Few ratings: nobody has more than ten likes in a split, so that all can stand in the first ten.
    data = random_dataset(USERS, ITEMS, 0.3)
    evaluated = evaluate_split(oracle(data, split), data, split)
    assert np.bincount(data.liked(split).users).max() <= 10
    for key, found in evaluated.per_user.items():
        if key != ("reranking", "f1@5"):
            np.testing.assert_array_equal(found.values, 1.0, err_msg=str(key))
    # Whose likes are not as many as the first five cannot have one there.
    np.testing.assert_allclose(evaluated.per_user["reranking", "f1@5"].values, best_f1(data, split), rtol=1e-12)


def test_an_inverse_oracle_gets_the_worst() -> None:
    data = random_dataset(USERS, ITEMS, 0.3)
    evaluated = evaluate_split(oracle(data, "test", sign=-1), data, "test")
    for key in (("ctr", "user_auc"), ("impression", "user_auc"), *(("ranking", name) for name in RANKING)):
        np.testing.assert_array_equal(evaluated.per_user[key].values, 0.0, err_msg=str(key))
    likes, dislikes = (
        np.bincount(pairs.users, minlength=USERS) for pairs in (data.liked("test"), data.disliked("test"))
    )
    users = evaluated.per_user["impression", "mrr"].users
    np.testing.assert_allclose(evaluated.per_user["impression", "mrr"].values, 1 / (dislikes[users] + 1))
    worst = [orders.ndcg([False] * dislikes[user] + [True] * likes[user], 10) for user in users]
    np.testing.assert_allclose(evaluated.per_user["impression", "ndcg@10"].values, worst)


def test_a_constant_score_is_worth_a_random_order_under_every_protocol() -> None:
    data = random_dataset(USERS, ITEMS, 0.5)
    evaluated = evaluate_split(Fixed(np.ones((USERS, ITEMS))), data, "test")
    for protocol in ("ctr", "impression"):
        np.testing.assert_array_equal(evaluated.per_user[protocol, "user_auc"].values, 0.5)
    likes = np.bincount(data.liked("test").users, minlength=USERS)
    known = np.bincount(data.rated(("train", "valid")).users, minlength=USERS)
    users = evaluated.per_user["ranking", "recall@10"].users
    expected = [min(10 / (ITEMS - known[user]), 1) for user in users]
    np.testing.assert_allclose(evaluated.per_user["ranking", "recall@10"].values, expected)
    discounts = [1 / np.log2(place + 1) for place in range(1, ITEMS + 1)]
    ndcg = [
        likes[user]
        / (ITEMS - known[user])
        * sum(discounts[: min(10, ITEMS - known[user])])
        / sum(discounts[: min(10, likes[user])])
        for user in users
    ]
    np.testing.assert_allclose(evaluated.per_user["ranking", "ndcg@10"].values, ndcg)


def test_a_figure_by_name_is_the_mean_over_users() -> None:
    data = random_dataset(USERS, ITEMS, 0.3)
    evaluated = evaluate_split(without_ties(USERS, ITEMS, 4), data, "valid")
    values = evaluated.per_user["ranking", "ndcg@10"].values
    assert len(set(values)) > 1
    assert evaluated.value("ranking.ndcg@10") == pytest.approx(sum(values) / len(values))


def test_data_without_dislikes_have_no_impression_figure() -> None:
    rows = [row | {"like": True, "rating": 5.0} for row in random_rows(USERS, ITEMS, 0.3, 0)]
    data = dataset(rows, unrated_rows(rows, USERS, ITEMS, 0), USERS, ITEMS)
    evaluated = evaluate_split(without_ties(USERS, ITEMS, 0), data, "valid")
    assert np.isnan(evaluated.value("impression.ndcg@10"))
    assert evaluated.value("ranking.ndcg@10") > 0


def test_zeros_that_somebody_drew_take_the_place_of_dislikes_in_impression_alone() -> None:
    rows = random_rows(USERS, ITEMS, 0.4, 3)
    drawn = unrated_rows(rows, USERS, ITEMS, 0)
    schema = {"user": pl.Int32, "item": pl.Int32, "split": pl.String}
    interactions = pl.DataFrame(rows, schema=SCHEMA).sort("user", "item")
    candidates = pl.DataFrame(drawn, schema=schema).sort("user", "item")
    rated = Dataset(interactions, candidates, USERS, ITEMS)
    zeros = interactions.filter(~pl.col("like"), pl.col("split") != "train").select("user", "item", "split")
    sampled = Dataset(interactions.filter("like"), candidates, USERS, ITEMS, zeros)
    scorer = without_ties(USERS, ITEMS, 0)
    of_rated, of_sampled = (score_split(scorer, data, "test") for data in (rated, sampled))
    for protocol in ("ctr", "impression"):
        for name in ("users", "labels", "scores"):
            here, there = (getattr(getattr(found, protocol), name) for found in (of_rated, of_sampled))
            assert np.array_equal(here, there)
    # Nobody rated the zeros of validation: they stay candidates, and some of them stand above a like.
    assert (of_sampled.ranking.above >= of_rated.ranking.above).all()
    assert (of_sampled.ranking.above > of_rated.ranking.above).any()


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_score_that_is_not_finite_is_refused(bad) -> None:
    data = random_dataset(USERS, ITEMS)
    scorer = without_ties(USERS, ITEMS, 0)
    scorer.table[USERS - 1, 3] = bad
    with pytest.raises(InputError, match="Fixed: found scores that are not finite"):
        evaluate_split(scorer, data, "test")


class TwoAnswers:
    """One score where all items are ranked, another one where rated items are told apart."""

    def __init__(self, preference: NDArray[np.float32], judgement: NDArray[np.float32]) -> None:
        self.preference, self.judgement = preference, judgement

    def score(self, users: NDArray[np.int64]) -> Scores:
        return Scores(self.preference[users], self.judgement[users])


@both_splits
def test_candidates_of_ctr_and_ranking_go_by_preference_and_those_of_impression_by_judgement(split, earlier) -> None:
    data = random_dataset(USERS, ITEMS, 0.4)
    first, second = without_ties(USERS, ITEMS, 1), without_ties(USERS, ITEMS, 2)
    found = evaluate_split(TwoAnswers(first.table, second.table), data, split)
    by_first, by_second = (evaluate_split(scorer, data, split) for scorer in (first, second))
    for key, values in values_of(found).items():
        expected, other = (values_of(each)[key] for each in (by_first, by_second))
        if key[0] in ("impression", "reranking"):
            expected, other = other, expected
        assert values == expected
        # Where a user has hardly more than five items, any order has the same five first.
        assert values != other or key == ("reranking", "f1@5")
    np.testing.assert_array_equal(found.scored.ctr.scores, by_first.scored.ctr.scores)
    np.testing.assert_array_equal(found.scored.impression.scores, by_second.scored.impression.scores)
    assert found.scored.coverage == by_first.scored.coverage


def test_one_answer_is_one_for_both_questions() -> None:
    scorer = without_ties(USERS, ITEMS, 1)
    scores = scores_of(scorer, np.arange(3))
    np.testing.assert_array_equal(scores.preference, scorer.table[:3])
    np.testing.assert_array_equal(scores.judgement, scorer.table[:3])


@pytest.mark.parametrize("question", ["preference", "judgement"])
@pytest.mark.parametrize("bad", [np.nan, -np.inf])
def test_an_answer_that_is_not_finite_is_refused_whichever_it_is(question, bad) -> None:
    tables = {name: without_ties(USERS, ITEMS, 1).table for name in ("preference", "judgement")}
    tables[question][USERS - 1, 3] = bad
    with pytest.raises(InputError, match="TwoAnswers: found scores that are not finite"):
        evaluate_split(TwoAnswers(**tables), random_dataset(USERS, ITEMS), "test")


def test_validation_does_not_see_the_test_split() -> None:
    rows = random_rows(USERS, ITEMS, 0.5, 0)
    drawn = unrated_rows(rows, USERS, ITEMS, 0)
    without_test = [row for row in rows if row["split"] != "test"]
    scorer = without_ties(USERS, ITEMS, 0)
    full, cut = (evaluate_split(scorer, dataset(part, drawn, USERS, ITEMS), "valid") for part in (rows, without_test))
    assert values_of(full) == values_of(cut)
    assert full.scored.coverage == cut.scored.coverage


def test_the_worlds_of_these_tests_hold_the_users_they_speak_of() -> None:
    data: Dataset = random_dataset(USERS, ITEMS)
    test_likes = set(data.liked("test").users.tolist())
    assert {0, 1} & test_likes == set()
    assert 1 in data.disliked("test").users
    assert 2 in test_likes - set(data.disliked("test").users.tolist())
    rated = pl.DataFrame({"user": data.rated(("train", "valid", "test")).users}).group_by("user").len()["len"]
    assert rated.max() < ITEMS


@pytest.mark.parametrize(
    ("items", "users"), [(40, 100_000), (100_000, 40), (250_000, 16), (250_001, 16), (10_000_000, 16)]
)
def test_a_block_has_so_many_users(items: int, users: int) -> None:
    assert protocols.users_at_once(items) == users


@pytest.mark.parametrize("counted_from", [1, 10**6], ids=["counted", "sorted"])
@pytest.mark.parametrize("block", [1, 3, 100])
def test_figures_of_some_users_are_theirs_among_those_of_all(
    counted_from: int, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = random_rows(USERS, ITEMS, 0.5, 3)
    drawn = unrated_rows(rows, USERS, ITEMS, 3)
    whole, chosen = dataset(rows, drawn, USERS, ITEMS), np.array([1, 2, 5, 9])
    of_chosen = pl.DataFrame([row for row in drawn if row["user"] in chosen], schema=whole._candidates.schema)
    some = Dataset(whole._interactions, of_chosen.sort("user", "item"), USERS, ITEMS, evaluated=chosen)
    scorer = Fixed(np.random.default_rng(4).integers(0, 9, (USERS, ITEMS)).astype(np.float32))
    parts = np.arange(ITEMS) % 3
    monkeypatch.setattr(catalogue, "COUNTED_ITEMS", counted_from)
    expected = evaluate_split(scorer, whole, "test", parts)
    asked: list[int] = []

    class Counting:
        def score(self, users: NDArray[np.int64]) -> Scores:
            asked.extend(users.tolist())
            return scorer.score(users)

    monkeypatch.setattr(protocols, "BLOCK_CELLS", block * ITEMS)
    found = evaluate_split(Counting(), some, "test", parts)
    assert asked == chosen.tolist()
    assert found.per_user.keys() == expected.per_user.keys()
    for name, values in expected.per_user.items():
        kept = np.isin(values.users, chosen)
        assert found.per_user[name].users.tolist() == values.users[kept].tolist()
        np.testing.assert_allclose(found.per_user[name].values, values.values[kept], rtol=1e-12)
    kept = np.isin(expected.scored.ranking.users, chosen)
    assert found.scored.ranking.part_above.tolist() == expected.scored.ranking.part_above[kept].tolist()
