"""Biases by counts, by hand; what a user rated is scored by counts without that rating."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch

from pipeline.data.dataset import Dataset
from pipeline.users.count_biases import CountBiases, OfItems
from pipeline.users.knowledge import Knowledge, knowledge_arrays
from pipeline.users.model import Model, build_count_biases, build_scorer
from pipeline.users.settings import VariantConfig
from pipeline.users.terms.term import Rated
from pipeline.users.trained import TrainedModel
from tests.evaluation.worlds import dataset, random_dataset, random_rows
from tests.users.knowing import known
from tests.users.test_settings import EXTENDED
from tests.users.test_trained import config
from tests.users.views.slow import ragged, vectors

USERS, ITEMS, WIDTH = 5, 9, 4
HEADS = ("like", "meet", "judge")


def all_liked() -> Dataset:
    rows = [row | {"like": True, "rating": 5.0} for row in random_rows(USERS, ITEMS, 0.8, 0)]
    return dataset(rows, [], USERS, ITEMS)


def hardly_disliked() -> Dataset:
    """No item is disliked by two."""
    rows = [
        row | {"like": row["user"] != row["item"] % USERS or row["item"] >= USERS, "rating": None}
        for row in random_rows(USERS, ITEMS, 0.9, 0)
    ]
    found = dataset(rows, [], USERS, ITEMS)
    assert found.train_dislikes.toarray().sum(axis=0).max() == 1
    return found


DATA = {"random": random_dataset(USERS, ITEMS, 0.8), "all-liked": all_liked(), "hardly-disliked": hardly_disliked()}


def scrambled(data: Dataset, heads: tuple[Any, ...] = HEADS) -> CountBiases:
    torch.manual_seed(2)
    made = build_count_biases(data, heads, known(data))
    for parameter in made.parameters():
        torch.nn.init.normal_(parameter)
    return made


def starts(likes: float, dislikes: float, overall: float, disliking: bool) -> dict[str, float]:
    rate = (likes + 5 * overall) / (likes + dislikes + 5)
    return {
        "like": math.log(likes + 1),
        "meet": math.log(likes + dislikes + 1),
        "judge": math.log(rate / (1 - rate)) if disliking else math.log(likes + 1),
    }


@pytest.mark.parametrize("name", DATA)
def test_a_bias_is_a_start_by_counts_and_what_a_network_makes_of_the_features(name: str) -> None:
    data = DATA[name]
    made = scrambled(data)
    features = known(data).features
    likes, dislikes = (matrix.toarray().sum(axis=0).tolist() for matrix in (data.train_likes, data.train_dislikes))
    overall = min(max(sum(likes) / (sum(likes) + sum(dislikes)), 0.01), 0.99)
    inner, outer = made.inner, made.outer
    with torch.no_grad():
        found = made()
    assert list(found) == list(HEADS)
    fewer = {"whole": (0, 0), "without_like": (1, 0), "without_dislike": (0, 1)}
    for place, (head, biases) in enumerate(found.items()):
        for field, (likes_gone, dislikes_gone) in fewer.items():
            rows = getattr(features, field).tolist()
            for item in range(ITEMS):
                hidden = [
                    math.tanh(sum(w * x for w, x in zip(row, rows[item], strict=True)) + bias)
                    for row, bias in zip(inner.weight.tolist(), inner.bias.tolist(), strict=True)
                ]
                told = sum(w * h for w, h in zip(outer.weight[place].tolist(), hidden, strict=True))
                start = starts(
                    max(likes[item] - likes_gone, 0), max(dislikes[item] - dislikes_gone, 0), overall, sum(dislikes) > 0
                )
                expected = start[head] + told + float(outer.bias[place].detach())
                assert float(getattr(biases, field)[item]) == pytest.approx(expected, abs=1e-4)


def test_biases_start_at_the_counts() -> None:
    data = DATA["random"]
    with torch.no_grad():
        found = build_count_biases(data, ["meet"], known(data))()
    ratings = (data.train_likes + data.train_dislikes).toarray().sum(axis=0)
    np.testing.assert_allclose(found["meet"].whole, np.log(ratings + 1), rtol=1e-6)


CATALOGUE = np.array([7, 1, 2, 8, 4])


@pytest.mark.parametrize("catalogue", [None, CATALOGUE], ids=["all", "sampled"])
def test_each_rated_cell_has_the_bias_without_that_rating(catalogue: np.ndarray | None) -> None:
    data, variant = DATA["random"], config(EXTENDED, width=WIDTH, count_biases=True)
    scorer = build_scorer(variant, WIDTH, data)
    of_items: dict[str, OfItems] = {head: OfItems(*(torch.randn(ITEMS) for _ in range(3))) for head in variant.heads}
    asked = list(range(ITEMS)) if catalogue is None else catalogue.tolist()
    items = vectors(len(asked), WIDTH).float()
    rated = [
        [[asked.index(item) for item in np.flatnonzero(row) if item in asked] for row in matrix.toarray()]
        for matrix in (data.train_likes, data.train_dislikes)
    ]
    likes, dislikes = (ragged(sets) for sets in rated)
    for head, bias in scorer.item_bias.items():
        bias.data.zero_()
        assert head in variant.heads
    with torch.no_grad():
        plain = scorer(items, likes, dislikes, leave_one_out=True, catalogue=catalogue)
        found = scorer(
            items,
            likes,
            dislikes,
            leave_one_out=True,
            catalogue=catalogue,
            rated=Rated(likes, dislikes),
            biases=of_items,
        )
    for head in variant.heads:
        for user in range(USERS):
            for place, item in enumerate(asked):
                field = (
                    "without_like"
                    if place in rated[0][user]
                    else "without_dislike"
                    if place in rated[1][user]
                    else "whole"
                )
                added = float(found[head][user, place] - plain[head][user, place])
                assert added == pytest.approx(float(getattr(of_items[head], field)[item]), abs=1e-5)


def test_the_gradient_of_a_rated_cell_goes_to_the_bias_without_that_rating() -> None:
    data, variant = DATA["random"], config(EXTENDED, width=WIDTH, count_biases=True)
    scorer = build_scorer(variant, WIDTH, data)
    of_items = {head: OfItems(*(torch.randn(ITEMS).requires_grad_() for _ in range(3))) for head in variant.heads}
    nobody, likes = ragged([[], []]), ragged([[3], []])
    found = scorer(vectors(ITEMS, WIDTH).float(), nobody, nobody, rated=Rated(likes, nobody), biases=of_items)
    found["meet"].sum().backward()
    whole, without_like, without_dislike = (of_items["meet"][place].grad for place in range(3))
    assert whole is not None
    assert without_like is not None
    assert without_dislike is not None
    assert whole.tolist() == [2, 2, 2, 1, 2, 2, 2, 2, 2]
    assert without_like.tolist() == [0, 0, 0, 1, 0, 0, 0, 0, 0]
    assert not without_dislike.any()


def arrays_of(variant: VariantConfig, data: Dataset, knowledge: Knowledge) -> dict[str, Any]:
    torch.manual_seed(1)
    scorer = build_scorer(variant, WIDTH, data, knowledge)
    for parameter in scorer.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    arrays = {f"scorer.{name}": value.numpy() for name, value in scorer.state_dict().items()}
    arrays["items"] = np.random.default_rng(3).normal(size=(ITEMS, WIDTH)).astype(np.float32)
    return arrays | knowledge_arrays(knowledge)


@pytest.mark.parametrize("name", DATA)
@pytest.mark.parametrize("views", ["both", "likes", "merged"])
def test_a_stored_model_with_terms_scores_as_it_did(name: str, views: str) -> None:
    data = DATA[name]
    asked = config(EXTENDED, width=WIDTH, views=views, terms=["overlap", "together", "popularity"], count_biases=True)
    variant = asked.for_data(ITEMS, data.train_dislikes.nnz, 1.0, 1)
    knowledge = known(data)
    arrays = arrays_of(variant, data, knowledge)
    scorer = build_scorer(variant, WIDTH, data, knowledge)
    scorer.load_state_dict(
        {key[7:]: torch.from_numpy(value) for key, value in arrays.items() if key.startswith("scorer.")}
    )
    assert hasattr(scorer, "leniency_weight") == (name != "all-liked")
    read = Model.from_arrays(arrays, variant, ITEMS)
    kept = Model(scorer.requires_grad_(False), torch.from_numpy(arrays["items"]), judge_share=variant.judge_share)
    one, other = (TrainedModel(model, data).score(np.arange(USERS)) for model in (read, kept))
    np.testing.assert_array_equal(one.preference, other.preference)
    np.testing.assert_array_equal(one.judgement, other.judgement)
    # Terms have a word in it.
    for parameter in scorer.terms.parameters():
        parameter.zero_()
    assert not np.allclose(TrainedModel(kept, data).score(np.arange(USERS)).preference, one.preference, atol=0.01)
