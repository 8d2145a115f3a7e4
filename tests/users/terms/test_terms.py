"""Each term by its formula, with loops over users, candidates and items of the history, and with ratings that are really taken away."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch

from pipeline.data.dataset import Dataset
from pipeline.users import knowledge as knowledge_module
from pipeline.users.histories import histories, merged
from pipeline.users.knowledge import Knowledge
from pipeline.users.terms.registry import TERMS
from pipeline.users.terms.term import PairTerm, Rated
from tests.evaluation.worlds import dataset, random_dataset, random_rows
from tests.users.knowing import (
    known,
    random_relations,
    rated_sets,
    slow_mean_around,
    slow_raw_features,
    slow_surroundings,
)
from tests.users.views.slow import ragged

USERS, ITEMS = 14, 11
HEADS = ("meet", "judge")
SHARES = {"meet": 1.0, "judge": 0.4}
CATALOGUE = np.array([9, 0, 4, 5, 10, 2])
KINDS: Any = list(TERMS)
VIEWS = ("likes", "dislikes", "rated")


@cache
def data() -> Dataset:
    return random_dataset(USERS, ITEMS, 0.9, 3)


@cache
def without(user: int, item: int) -> Dataset:
    """The data without a rating."""
    rows = [row for row in random_rows(USERS, ITEMS, 0.9, 3) if (row["user"], row["item"]) != (user, item)]
    return dataset(rows, [], USERS, ITEMS)


@cache
def of_data() -> Knowledge:
    return known(data())


def term(kind: Any, view: str, knowledge: Knowledge | None = None) -> PairTerm:
    torch.manual_seed(5)
    made = TERMS[kind](HEADS, view, knowledge or of_data())
    for name, parameter in made.named_parameters():
        parameter.requires_grad_(False)
        if name == "exponent":
            parameter.fill_(0.3)
        else:
            torch.nn.init.normal_(parameter)
    return made


@dataclass
class Slow:
    """w_head(j, c), by counts from which some rating may be missing."""

    kind: str
    made: PairTerm
    view: str

    def weight(self, head: str, item: int, candidate: int, without: tuple[int, str] | None) -> float:
        """without: a user and how they rated the candidate."""
        weights = self.made.weights[head].tolist()  # type: ignore[union-attr, index]
        if item == candidate:
            return 0.0
        if self.kind == "overlap":
            names = of_data().around.names
            rows = surroundings()
            return sum(
                weights[names.index(pair[0])] * value * rows[candidate].get(pair, 0.0)
                for pair, value in rows[item].items()
            )
        if self.kind == "together":
            # The user without the candidate: n_j stays as it is.
            sets = rated_sets(data(), self.view)
            fewer = [
                mine - {candidate} if without is not None and user == without[0] else mine
                for user, mine in enumerate(sets)
            ]
            both = sum(item in mine and candidate in mine for mine in fewer)
            of_candidate = sum(candidate in mine for mine in fewer)
            of_item = sum(item in mine for mine in sets)
            return weights * both / math.sqrt(of_item * of_candidate) if both else 0.0
        of_item, of_candidate = [*features(item, None), 1.0], [*features(candidate, without and without[1]), 1.0]
        return sum(
            of_candidate[row] * weights[row][column] * of_item[column]
            for row in range(len(of_item))
            for column in range(len(of_item))
        )

    def score(
        self, head: str, history: list[int], candidate: int, without: tuple[int, str] | None, left_out: bool
    ) -> float:
        counted = [item for item in history if not (left_out and item == candidate)]
        if not counted:
            return 0.0
        total = sum(self.weight(head, item, candidate, without) for item in counted)
        return len(counted) ** (float(self.made.exponent) - 1) * total


@cache
def surroundings() -> list[dict[tuple[str, int], float]]:
    return slow_surroundings(random_relations(ITEMS), ITEMS)


@cache
def raw_features() -> tuple[list[tuple[float, float]], list[tuple[float, float, float]], float]:
    likes, dislikes = (matrix.toarray().sum(axis=0).tolist() for matrix in (data().train_likes, data().train_dislikes))
    (mean_likes, degree), (mean_dislikes, _) = (
        slow_mean_around(surroundings(), counts) for counts in (likes, dislikes)
    )
    overall = sum(likes) / (sum(likes) + sum(dislikes))
    return (
        list(zip(likes, dislikes, strict=True)),
        list(zip(mean_likes, mean_dislikes, degree, strict=True)),
        overall,
    )


@cache
def features(item: int, without: str | None) -> list[float]:
    """Standardised by all items as they are."""
    counts, around, overall = raw_features()
    everybody = np.array(
        [slow_raw_features(*pair, beside, overall) for pair, beside in zip(counts, around, strict=True)]
    )
    likes, dislikes = counts[item]
    mine = slow_raw_features(likes - (without == "like"), dislikes - (without == "dislike"), around[item], overall)
    found: list[float] = ((np.array(mine) - everybody.mean(axis=0)) / everybody.std(axis=0)).tolist()
    return found


def rating_of(user: int, item: int, view: str) -> tuple[int, str] | None:
    """Whether a term of this view leaves the user's rating out of the counts of this candidate."""
    if item in rated_sets(data(), "likes")[user]:
        return user, "like"
    return (user, "dislike") if item in rated_sets(data(), "dislikes")[user] else None


def counts_for(kind: str, view: str, rating: tuple[int, str] | None) -> tuple[int, str] | None:
    """`together` counts ratings of its own view alone: one of another view is in none of its counts."""
    if kind == "together" and rating is not None and view in ("likes", "dislikes") and view != f"{rating[1]}s":
        return None
    return rating


def part_of(view: str, seed: int) -> list[list[int]]:
    """Histories as a step of training has them: a part of what each user rated; the first user's is whole, the last one's empty."""
    random = np.random.default_rng(seed)
    sets = [sorted(mine) for mine in rated_sets(data(), view)]
    return [
        mine if user == 0 else [item for item in mine if random.random() < 0.6 and user < USERS - 1]
        for user, mine in enumerate(sets)
    ]


def among(sets: list[list[int]], catalogue: np.ndarray[Any, Any] | None) -> list[list[int]]:
    """Places among the candidates; what is not among them is in no history."""
    if catalogue is None:
        return sets
    places = {int(item): place for place, item in enumerate(catalogue)}
    return [[places[item] for item in mine if item in places] for mine in sets]


def rated_of(catalogue: np.ndarray[Any, Any] | None) -> Rated:
    return Rated(*(ragged(among([sorted(m) for m in rated_sets(data(), v)], catalogue)) for v in ("likes", "dislikes")))


@pytest.mark.parametrize("leave_one_out", [False, True])
@pytest.mark.parametrize("counting", ["everything", "without the candidate's rating"])
@pytest.mark.parametrize("catalogue", [None, CATALOGUE], ids=["all", "sampled"])
@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("kind", KINDS)
def test_every_candidate_is_scored_by_the_formula(
    kind: str, view: str, catalogue: np.ndarray[Any, Any] | None, counting: str, leave_one_out: bool
) -> None:
    made = term(kind, view)
    slow = Slow(kind, made, view)
    sets = among(part_of(view, 1), catalogue)
    rated = None if counting == "everything" else rated_of(catalogue)
    found = made.scores(ragged(sets), catalogue, rated, leave_one_out)
    items = list(range(ITEMS)) if catalogue is None else catalogue.tolist()
    assert found.keys() == set(HEADS)
    for head, scores in found.items():
        assert scores.shape == (USERS, len(items))
        for user, mine in enumerate(sets):
            history = [items[place] for place in mine]
            for place, candidate in enumerate(items):
                rating = None if rated is None else counts_for(kind, view, rating_of(user, candidate, view))
                expected = slow.score(head, history, candidate, rating, leave_one_out)
                assert float(scores[user, place]) == pytest.approx(expected, abs=2e-5, rel=2e-5)
    assert sets[0]
    assert not sets[-1]


@pytest.mark.parametrize("most", [500, 4])
@pytest.mark.parametrize("view", VIEWS)
def test_a_rating_that_is_left_out_of_together_might_as_well_not_be_in_the_data(
    view: str, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """But that items of the history keep their own counts, and that the strongest partners are those by all ratings."""
    monkeypatch.setattr(knowledge_module, "TOGETHER_AT_MOST", most)
    knowledge = known(data())
    made, whole = term("together", view, knowledge), knowledge.together[view]
    monkeypatch.setattr(knowledge_module, "TOGETHER_AT_MOST", 500)
    sets = part_of(view, 2)
    scores = made.scores(ragged(sets), None, rated_of(None), True)["meet"]
    weight: float = made.weights["meet"].item()  # type: ignore[index, operator, assignment]
    checked = 0
    for user, history in enumerate(sets):
        for candidate in sorted(rated_sets(data(), view)[user]):
            fewer = Knowledge.of(without(user, candidate), random_relations(ITEMS)).together[view]
            assert fewer.ratings[candidate] == whole.ratings[candidate] - 1
            rest = [item for item in history if item != candidate]
            partners = [item for item in rest if whole.there[item, candidate]]
            counted = [fewer.counts[item, candidate] * math.sqrt(fewer.ratings[item]) for item in partners]
            total = sum(
                both / math.sqrt(whole.ratings[item] * fewer.ratings[candidate])
                for item, both in zip(partners, counted, strict=True)
                if both
            )
            expected = weight * len(rest) ** (0.3 - 1) * total if rest else 0.0
            assert float(scores[user, candidate]) == pytest.approx(expected, abs=1e-5)
            checked += total > 0
    assert checked > 5


def test_a_rating_that_is_left_out_of_popularity_changes_the_candidates_features_alone() -> None:
    """They are those of data without the rating, on the scale of all of it."""
    counts, around, overall = raw_features()
    for user in range(USERS):
        for candidate in sorted(rated_sets(data(), "rated")[user]):
            fewer = without(user, candidate)
            likes, dislikes = (
                float(matrix.toarray().sum(axis=0)[candidate]) for matrix in (fewer.train_likes, fewer.train_dislikes)
            )
            rating = rating_of(user, candidate, "rated")
            assert rating is not None
            kept = of_data().features.without_like if rating[1] == "like" else of_data().features.without_dislike
            everybody = np.array(
                [slow_raw_features(*pair, beside, overall) for pair, beside in zip(counts, around, strict=True)]
            )
            mine = (slow_raw_features(likes, dislikes, around[candidate], overall) - everybody.mean(axis=0)) / (
                everybody.std(axis=0)
            )
            np.testing.assert_allclose(kept[candidate], mine, atol=1e-4)
            # What is around the candidate is not changed by its own ratings.
            likes_of_all = fewer.train_likes.toarray().sum(axis=0).tolist()
            assert slow_mean_around(surroundings(), likes_of_all)[0][candidate] == pytest.approx(around[candidate][0])


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("kind", KINDS)
def test_pairs_add_up_to_totals(kind: str, view: str) -> None:
    made = term(kind, view)
    sets = part_of(view, 4)
    totals = made.totals(ragged(sets), None, None)
    together = sum(share * totals[head] for head, share in SHARES.items())
    for user, history in enumerate(sets):
        for candidate in range(ITEMS):
            items = np.array(history, dtype=np.int64)
            told = made.pairs(items, np.full(len(items), candidate), SHARES)
            assert told.shape == (len(history),)
            assert float(told.sum()) == pytest.approx(float(together[user, candidate]), abs=2e-5)  # type: ignore[index]
            slow = Slow(kind, made, view)
            expected = [
                sum(share * slow.weight(head, item, candidate, None) for head, share in SHARES.items())
                for item in history
            ]
            np.testing.assert_allclose(told, expected, atol=2e-5)


def test_no_share_makes_pairs_of_nothing() -> None:
    items = np.array([0, 1, 2])
    for kind in KINDS:
        assert term(kind, "rated").pairs(items, items[::-1].copy(), {}).tolist() == [0, 0, 0]


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("kind", KINDS)
def test_contributions_add_up_to_the_score(kind: str, view: str) -> None:
    made = term(kind, view)
    sets = part_of(view, 6)
    history = ragged(sets)
    scores = made.scores(history)
    expected = sum(share * scores[head] for head, share in SHARES.items())
    candidates = torch.from_numpy(
        np.stack([np.random.default_rng(user).permutation(ITEMS)[:5] for user in range(USERS)])
    )
    seen = 0
    for chunk in history.chunks(40, 5):
        asked = candidates[chunk.users]
        found = made.contributions(chunk, asked, SHARES)
        assert found.shape == (len(chunk.users), 5, chunk.items.shape[1])
        assert not found[~chunk.present.unsqueeze(1).expand_as(found)].any()
        wanted = expected[chunk.users].gather(1, asked)  # type: ignore[index]
        np.testing.assert_allclose(found.sum(dim=2), wanted, atol=2e-5)
        seen += len(chunk.users)
    assert seen == sum(bool(mine) for mine in sets)


@pytest.mark.parametrize("kind", KINDS)
def test_nobody_with_a_history_is_scored_nothing(kind: str) -> None:
    made = term(kind, "likes")
    nobody = ragged([[], []])
    for rated in (None, Rated(nobody, nobody)):
        for scores in made.scores(nobody, None, rated, True).values():
            assert scores.tolist() == [[0.0] * ITEMS] * 2


def test_a_history_counts_by_a_power_of_its_length_and_an_empty_one_for_nothing() -> None:
    found = term("overlap", "likes").share(torch.tensor([0.0, 1.0, 4.0]))
    assert found.tolist() == pytest.approx([0, 1, 4**-0.7])


@pytest.mark.parametrize("leave_one_out", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_gradients_are_those_of_the_scores(kind: str, leave_one_out: bool) -> None:
    """By every parameter, against differences of the scores, which are all but linear in each."""
    made = term(kind, "rated")
    history = merged(*(histories(one, np.arange(USERS), "cpu") for one in (data().train_likes, data().train_dislikes)))
    random = torch.Generator().manual_seed(1)
    over = {head: torch.randn(USERS, ITEMS, generator=random) for head in HEADS}

    def loss() -> torch.Tensor:
        scores = made.scores(history, None, rated_of(None), leave_one_out)
        return sum(((scores[head] * over[head]).sum() for head in HEADS), torch.tensor(0.0))

    parameters = list(made.parameters())
    for parameter in parameters:
        parameter.requires_grad_(True)
    found = torch.autograd.grad(loss(), parameters)
    for parameter, gradient in zip(parameters, found, strict=True):
        step = 0.01 if parameter is made.exponent else 0.1
        for place in range(parameter.numel()):
            values = []
            for sign in (1, -1):
                with torch.no_grad():
                    parameter.view(-1)[place] += sign * step
                    values.append(float(loss()))
                    parameter.view(-1)[place] -= sign * step
            told = float(gradient.reshape(-1)[place])
            assert (values[0] - values[1]) / (2 * step) == pytest.approx(told, rel=5e-3, abs=5e-3)


def test_dislikes_start_without_a_word_where_a_term_says_more_of_what_is_alike() -> None:
    for kind, start in (("overlap", 0.5), ("together", 2.0)):
        for view, expected in (("likes", start), ("rated", start), ("dislikes", 0.0)):
            made: Any = TERMS[kind](HEADS, view, of_data())  # type: ignore[index]
            assert all((weight == expected).all() for weight in made.weights.values())
            assert float(made.exponent.detach()) == 0.5
    popular: Any = TERMS["popularity"](HEADS, "likes", of_data())
    assert not any(weight.any() for weight in popular.weights.values())
