"""Contributions add up to the score, and each is its own item's term of the formula, for every form of model in params.yaml."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_matrix

from pipeline.data.dataset import Dataset
from pipeline.explain import contributions as module
from pipeline.explain.contributions import NO_ITEM, Explainer, contributions_of
from pipeline.users.model import Model, build_scorer
from pipeline.users.people import Person, histories_of, people_of, preference_of
from pipeline.users.settings import VariantConfig
from pipeline.users.shares import head_shares
from pipeline.users.terms.registry import TERMS
from pipeline.users.trained import TrainedModel
from pipeline.users.views import self_attention
from pipeline.users.views.candidate_attention import CandidateAttention
from pipeline.users.views.plain_sum import PlainSum
from pipeline.users.views.view import View
from tests.evaluation.worlds import random_dataset
from tests.users.knowing import known
from tests.users.test_settings import EXTENDED
from tests.users.test_settings import VARIANTS as SETTINGS
from tests.users.test_trained import config
from tests.users.views.slow import dot, softmax

ITEMS, WIDTH = 14, 4
FORM = ("views", "attention", "heads", "biases", "co_rating_l2", "fusion", "learn_exponent", "judge_share", "terms")
# The first variant of params.yaml of each form of score, by the variant's name.
FORMS = {
    str([variant[key] for key in FORM]): (name, config(variant, width=WIDTH))
    for name, variant in reversed(SETTINGS.items())
}
VARIANTS: dict[str, VariantConfig] = dict(FORMS.values()) | {
    "candidate-attention-of-two-heads": config(EXTENDED, attention="candidate", width=WIDTH),
    "ease-of-both-views": config(EXTENDED, co_rating_l2=1.0, co_rating_share=3.0, width=WIDTH),
    "ease-and-merged-views": config(EXTENDED, views="merged", co_rating_l2=1.0, co_rating_share=0.7, width=WIDTH),
    "judge-does-not-count": config(EXTENDED, judge_share=0.0, width=WIDTH),
    "terms": config(EXTENDED, terms=["overlap", "together", "popularity"], count_biases=True, width=WIDTH),
    "terms-of-merged-attentive-views": config(
        EXTENDED, views="merged", attention="candidate", co_rating_l2=1.0, terms=["popularity", "together"], width=WIDTH
    ),
    "terms-of-likes": config(EXTENDED, views="likes", heads=["like"], terms=["together", "overlap"], width=WIDTH),
}


def test_every_kind_of_view_head_and_term_is_among_the_forms() -> None:
    def values(key: str) -> set[str]:
        return {str(getattr(variant, key)) for variant in VARIANTS.values()}

    assert values("attention") == {"none", "self", "candidate"}
    assert values("views") == {"both", "likes", "merged"}
    assert values("biases") == {"True", "False"}
    assert {"['click']", "['like']", "['meet', 'judge']", "['like', 'meet', 'judge']"} <= values("heads")
    assert any(variant.co_rating_l2 for variant in VARIANTS.values())
    assert {term for variant in VARIANTS.values() for term in variant.terms} == set(TERMS)


@cache
def data() -> Dataset:
    return random_dataset(12, ITEMS)


@cache
def model(name: str, std: float = 0.5) -> Model:
    """Far from where it starts, so that no weight hides behind an identity."""
    torch.manual_seed(7)
    variant = VARIANTS[name]
    scorer = build_scorer(variant, WIDTH, data(), known(data()))
    for key, parameter in scorer.named_parameters():
        parameter.requires_grad_(False)
        if not key.endswith("exponent"):
            torch.nn.init.normal_(parameter, std=std)
    co_rating = torch.randn(ITEMS, ITEMS).fill_diagonal_(0.0)
    return Model(
        scorer,
        torch.randn(ITEMS, WIDTH),
        co_rating=co_rating if variant.co_rating_l2 else None,
        judge_share=variant.judge_share,
        co_rating_share=variant.co_rating_share,
    )


def doubled(name: str) -> Model:
    """The same in double precision, where a wrong term cannot pass for rounding."""
    found = model(name)
    scorer = build_scorer(VARIANTS[name], WIDTH, data(), known(data())).double()
    scorer.load_state_dict(found.scorer.state_dict())
    scorer.requires_grad_(False)
    co_rating = None if found.co_rating is None else found.co_rating.double()
    return replace(found, scorer=scorer, items=found.items.double(), co_rating=co_rating)


def person(likes: list[int], dislikes: list[int]) -> Person:
    return Person(np.array(likes, dtype=np.int64), np.array(dislikes, dtype=np.int64))


@st.composite
def people(draw: st.DrawFn) -> Person:
    order = draw(st.permutations(range(ITEMS)))
    likes = draw(st.integers(0, ITEMS))
    rated = draw(st.integers(likes, ITEMS))
    return person(order[:likes], order[likes:rated])


def weight_of(view: View, items: list[list[float]], history: list[int], item: int, candidate: int) -> list[float]:
    """How much of the history's mean the item makes, for each column of its value."""
    width = len(items[0])
    if isinstance(view, PlainSum):
        return [1 / len(history)] * width
    heads: int = view.heads  # type: ignore[assignment]
    query, key = (matrix.detach().T.tolist() for matrix in (view.query, view.key))  # type: ignore[operator]
    asking = [candidate] if isinstance(view, CandidateAttention) else history
    weights = [0.0] * width
    for column in range(width):
        mine = [k for k in range(width) if k // (width // heads) == column // (width // heads)]
        for row in asking:
            logits = [
                sum(dot(items[row], query[k]) * dot(items[other], key[k]) for k in mine) / math.sqrt(len(mine))
                for other in history
            ]
            weights[column] += softmax(logits)[history.index(item)] / len(asking)
    return weights


def parts_of(of: Model, name: str, history: list[int], item: int, candidate: int) -> dict[str, float]:
    """What one item of one view adds to one candidate's preference, part by part, by the formula of method.md and with loops."""
    scorer, items, view = of.scorer, of.items.tolist(), of.scorer.views[name]
    place = list(scorer.views).index(name)
    value = [dot(items[item], column) for column in view.value.detach().T.tolist()]  # type: ignore[operator]
    weights = weight_of(view, items, history, item, candidate)  # type: ignore[arg-type]
    counted = len(history) ** float(view.exponent)  # type: ignore[arg-type]
    weighted = [counted * a * b for a, b in zip(weights, value, strict=True)]
    total: dict[str, float] = {}
    for row, head in enumerate(scorer.heads):
        share = {"click": 1.0, "like": 1.0, "meet": 1.0, "judge": of.judge_share}[head]
        if "like" in scorer.heads and head != "like":
            continue
        output = view.output[head].detach().T.tolist()  # type: ignore[index]
        user = [dot(weighted, column) for column in output]
        told = {"vectors": dot(items[candidate], user) * float(scorer.weights[row, place]) * scorer.scale}
        # tests/users/terms proves the pairs by loops.
        for part, term in scorer.terms_of(name).items():
            pair = float(term.pairs(np.array([item]), np.array([candidate]), {head: 1.0})[0])
            told[part] = pair * len(history) ** (float(term.exponent) - 1)
        for part, value_of_part in told.items():
            total[part] = total.get(part, 0.0) + share * value_of_part
    if of.co_rating is not None:
        # Beside the heads, of a dislike by half where it has a view of its own.
        counts = {"likes": 1.0, "dislikes": 0.5, "rated": 1.0}[name]
        total["co_rating"] = of.co_rating_share * counts * float(of.co_rating[item, candidate])
    return total


@pytest.mark.parametrize("name", VARIANTS)
@pytest.mark.parametrize("rated", [([3, 0, 8], [5, 2]), ([6], []), ([], [1, 4]), ([], [])], ids=str)
def test_each_contribution_is_its_own_items_term_of_the_formula(name: str, rated: tuple[list[int], list[int]]) -> None:
    of = doubled(name)
    somebody, candidates = person(*rated), [9, 3, 5, 13]
    found = contributions_of(of, somebody, np.array(candidates))
    for whole, by_part, items, views in (
        (found.likes, found.parts_of_likes, rated[0], {"likes": rated[0], "rated": rated[0] + rated[1]}),
        (found.dislikes, found.parts_of_dislikes, rated[1], {"dislikes": rated[1], "rated": rated[0] + rated[1]}),
    ):
        assert whole.shape == (len(candidates), len(items))
        assert list(by_part) == Explainer(of).parts
        mine = {view: history for view, history in views.items() if view in of.scorer.views}
        told = [
            [[parts_of(of, view, history, item, candidate) for view, history in mine.items()] for item in items]
            for candidate in candidates
        ]
        for part, values in by_part.items():
            expected = [[sum(one[part] for one in views) for views in row] for row in told]
            np.testing.assert_allclose(values, np.array(expected).reshape(whole.shape), atol=1e-9)
        np.testing.assert_allclose(whole, sum(by_part.values()), atol=1e-12)


@pytest.mark.parametrize("name", VARIANTS)
@given(everybody=st.lists(people(), min_size=1, max_size=6), seed=st.integers(0, 99))
@settings(max_examples=6, deadline=None)
def test_contributions_of_many_are_those_of_each_alone(name: str, everybody: list[Person], seed: int) -> None:
    of, random = doubled(name), np.random.default_rng(seed)
    candidates = np.stack([random.permutation(ITEMS)[:3] for _ in everybody]).astype(np.int32)
    candidates[0, 2] = NO_ITEM
    with pytest.MonkeyPatch.context() as patch, torch.inference_mode():
        # Chunks of a few people each, and of one.
        patch.setattr(module, "CHUNK_NUMBERS", 60)
        patch.setattr(self_attention, "CHUNK_CELLS", 150)
        explainer = Explainer(of)
        found = explainer.contributions(explainer.weighed(*histories_of(everybody, "cpu")), candidates)
    assert len(found[0].likes) == 2
    for somebody, items, mine in zip(everybody, candidates, found, strict=True):
        alone = contributions_of(of, somebody, items[items != NO_ITEM].astype(np.int64))
        np.testing.assert_allclose(mine.likes, alone.likes, atol=1e-9)
        np.testing.assert_allclose(mine.dislikes, alone.dislikes, atol=1e-9)
        np.testing.assert_allclose(mine.bias, alone.bias, atol=1e-9)


@pytest.mark.parametrize("name", VARIANTS)
def test_biases_are_those_of_the_heads_that_count(name: str) -> None:
    of, candidates = model(name), np.array([2, 11])
    found = contributions_of(of, person([1], [2]), candidates)
    expected = {
        head: of.scorer.item_bias[head][candidates].numpy() * (of.judge_share if head == "judge" else 1.0)
        for head in (("like",) if "like" in of.scorer.heads else of.scorer.heads)
        if VARIANTS[name].biases and not (head == "judge" and of.judge_share == 0)
    }
    assert found.biases.keys() == expected.keys()
    for head, values in expected.items():
        np.testing.assert_allclose(found.biases[head], values, rtol=1e-6)
    np.testing.assert_allclose(found.bias, sum(expected.values(), np.zeros(2)), rtol=1e-6)


@pytest.mark.parametrize("name", VARIANTS)
@given(somebody=people())
@settings(max_examples=10, deadline=None)
def test_contributions_and_biases_add_up_to_the_score(name: str, somebody: Person) -> None:
    of = model(name)
    found = contributions_of(of, somebody, np.arange(ITEMS))
    np.testing.assert_allclose(found.score, preference_of(of, [somebody])[0], atol=1e-5)


@pytest.mark.parametrize("name", VARIANTS)
def test_contributions_add_up_to_the_score_of_every_user(name: str) -> None:
    of, users = model(name), np.arange(12)
    expected = TrainedModel(of, data()).score(users).preference
    for user, somebody in zip(users, people_of(data(), users, ("train",)), strict=True):
        np.testing.assert_allclose(contributions_of(of, somebody, np.arange(ITEMS)).score, expected[user], atol=1e-5)


@pytest.mark.parametrize("name", VARIANTS)
@given(somebody=people())
@settings(max_examples=6, deadline=None)
def test_a_rated_candidate_is_left_out_of_the_person_as_in_training(name: str, somebody: Person) -> None:
    of = model(name)
    likes, dislikes = histories_of([somebody], "cpu")
    with torch.no_grad():
        scores = of.scorer(of.items, likes, dislikes, leave_one_out=True)
        # Item-to-item weights have a zero diagonal, which leaves the candidate out.
        expected = of.preference(scores, of.co_rated(likes, dislikes))[0].numpy()
    for item in range(ITEMS):
        found = contributions_of(of, somebody.without(item), np.array([item]))
        np.testing.assert_allclose(found.score, expected[[item]], atol=1e-5)


@pytest.mark.parametrize("name", ["candidate-attention", "candidate-attention-of-two-heads", "self-attention"])
def test_contributions_add_up_where_attention_sees_hardly_anything_of_a_history(name: str) -> None:
    """Some logits lie so far below the catalogue's highest that they are held at the floor."""
    of = model(name, 6.0)
    for somebody in (person([1, 2, 3], [4, 5]), person([7], [8])):
        expected = preference_of(of, [somebody])[0]
        np.testing.assert_allclose(
            contributions_of(of, somebody, np.arange(ITEMS)).score,
            expected,
            rtol=1e-4,
            atol=1e-5 * np.abs(expected).max(),
        )


def test_a_model_of_likes_alone_has_no_contribution_of_dislikes() -> None:
    name = next(name for name, variant in VARIANTS.items() if variant.views == "likes")
    found = contributions_of(model(name), person([0, 1], [2, 3, 4]), np.array([5]))
    assert found.dislikes.tolist() == [[0.0, 0.0, 0.0]]
    assert found.likes.all()


def test_heads_count_as_preference_counts_them() -> None:
    heads: dict[str, Any] = {name: head_shares(model(name)) for name in VARIANTS}
    assert heads["crmman"] == {"click": 1.0}
    assert heads["judge-does-not-count"] == {"meet": 1.0}
    assert heads["three-heads"] == {"like": 1.0}
    assert heads["ease-and-merged-views"] == pytest.approx({"meet": 1.0, "judge": EXTENDED["judge_share"]})


@pytest.mark.parametrize("name", ["recommended", "ease-and-merged-views"])
def test_contributions_and_scores_are_the_same_by_sparse_item_to_item_weights(name: str) -> None:
    whole = model(name)
    assert isinstance(whole.co_rating, torch.Tensor)
    weights = torch.where(
        torch.rand(ITEMS, ITEMS, generator=torch.Generator().manual_seed(2)) < 0.3, whole.co_rating, 0.0
    )
    dense, sparse = (replace(whole, co_rating=of) for of in (weights, csr_matrix(weights.numpy())))
    everybody = people_of(data(), np.arange(data().users))
    np.testing.assert_allclose(preference_of(sparse, everybody), preference_of(dense, everybody), atol=1e-4)
    for somebody in everybody:
        one, other = (contributions_of(of, somebody, np.arange(ITEMS)) for of in (dense, sparse))
        for parts, others in (
            (one.parts_of_likes, other.parts_of_likes),
            (one.parts_of_dislikes, other.parts_of_dislikes),
        ):
            assert "co_rating" in parts
            for part, values in parts.items():
                np.testing.assert_allclose(others[part], values, atol=1e-6)
