"""The trained model as evaluation sees it: read back from arrays, users made of their whole training histories."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch

from pipeline.common.errors import InputError
from pipeline.data.dataset import Dataset
from pipeline.evaluation.protocols.scores import Scores
from pipeline.users.histories import histories
from pipeline.users.knowledge import knowledge_arrays
from pipeline.users.model import Model, build_scorer, starting_biases
from pipeline.users.scorer import judgement, preference
from pipeline.users.settings import VariantConfig
from pipeline.users.trained import TrainedModel
from tests.evaluation.worlds import dataset, random_dataset, random_rows
from tests.users.knowing import known
from tests.users.test_settings import EXTENDED, METHOD

USERS, ITEMS, WIDTH = 12, 40, 6


def config(start: dict[str, Any] = EXTENDED, **changes: Any) -> VariantConfig:
    return VariantConfig.model_validate(start | {"attention_heads": 2, "width": WIDTH} | changes)


def arrays_of(variant: VariantConfig, data: Dataset) -> dict[str, np.ndarray[Any, Any]]:
    torch.manual_seed(1)
    knowledge = known(data) if variant.knows else None
    scorer = build_scorer(variant, WIDTH, data, knowledge)
    for parameter in scorer.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    arrays = {f"scorer.{name}": value.numpy() for name, value in scorer.state_dict().items()}
    random = np.random.default_rng(3)
    if variant.co_rating_l2:
        arrays["co_rating"] = random.normal(size=(ITEMS, ITEMS)).astype(np.float32)
    if knowledge is not None:
        arrays |= knowledge_arrays(knowledge)
    # Weights of the encoder are stored beside those of the scorer, and not needed here.
    arrays["encoder.own"] = np.zeros((ITEMS, WIDTH), dtype=np.float32)
    return arrays | {"items": random.normal(size=(ITEMS, WIDTH)).astype(np.float32)}


@pytest.fixture(scope="module")
def data() -> Dataset:
    return random_dataset(USERS, ITEMS)


VARIANTS = {
    "method": config(METHOD),
    "extended": config(),
    "co-rating": config(co_rating_l2=10.0, co_rating_share=0.3),
    "co-rating-of-likes": config(co_rating_l2=10.0, views="likes", heads=["like"], co_rating_share=3.0),
    "three-heads": config(heads=["like", "meet", "judge"], views="merged", judge_share=2.0),
    "mixed": config(ranking_share=0.7),
    "candidate": config(attention="candidate", views="likes", biases=False),
    "terms": config(terms=["overlap", "together", "popularity"], count_biases=True),
    "terms-of-merged-views": config(terms=["popularity", "together"], views="merged", co_rating_l2=10.0),
}


def slow_by_co_rating(
    weights: np.ndarray[Any, Any], variant: VariantConfig, data: Dataset, users: np.ndarray[Any, Any]
) -> np.ndarray[Any, Any]:
    """Sum of the weights of all that users rated in training; of a dislike by half, but where the model has one view of both."""
    of_dislike = {"both": 0.5, "likes": 0.0, "merged": 1.0}[variant.views]
    found = np.zeros((len(users), ITEMS))
    for row, user in enumerate(users.tolist()):
        for item in range(ITEMS):
            counts = float(data.train_likes[user, item]) + of_dislike * float(data.train_dislikes[user, item])
            found[row] += counts * weights[item]
    return found


@pytest.mark.parametrize("name", VARIANTS)
def test_a_model_is_read_back_as_it_was_and_scores_by_whole_training_histories(name: str, data: Dataset) -> None:
    variant = VARIANTS[name]
    arrays = arrays_of(variant, data)
    model = Model.from_arrays(arrays, variant, data.items)
    trained = TrainedModel(model, data)
    for key, value in model.scorer.state_dict().items():
        np.testing.assert_array_equal(value.numpy(), arrays[f"scorer.{key}"])
    np.testing.assert_array_equal(model.items.numpy(), arrays["items"])
    if variant.co_rating_l2:
        np.testing.assert_array_equal(model.co_rating.numpy(), arrays["co_rating"])
    else:
        assert model.co_rating is None

    users = np.array([5, 0, 11])
    found = trained.score(users)
    assert isinstance(found, Scores)
    with torch.no_grad():
        whole = [histories(split, users, "cpu") for split in (data.train_likes, data.train_dislikes)]
        expected = model.scorer(model.items, *whole)
        counts = [
            torch.from_numpy(split[users].getnnz(axis=1)).float() for split in (data.train_likes, data.train_dislikes)
        ]
        leniency = model.scorer.leniency(*counts)
    assert (leniency is not None) == (variant.biases and "judge" in variant.heads)
    preferred = preference(expected, variant.judge_share).numpy()
    if variant.co_rating_l2:
        preferred = preferred + variant.co_rating_share * slow_by_co_rating(arrays["co_rating"], variant, data, users)
    np.testing.assert_allclose(found.preference, preferred, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(found.judgement, judgement(expected, leniency, variant.ranking_share).numpy(), atol=1e-5)
    assert found.preference.shape == (3, ITEMS)
    assert found.preference.dtype == np.float32
    # Whoever else is asked for.
    np.testing.assert_allclose(trained.score(users[:1]).preference[0], found.preference[0], atol=1e-4)


def test_scores_know_nothing_of_validation_and_test(data: Dataset) -> None:
    training_only = dataset(
        [row for row in random_rows(USERS, ITEMS, 0.5, 0) if row["split"] == "train"], [], USERS, ITEMS
    )
    variant, users = config(), np.arange(USERS)
    one, other = (
        TrainedModel(Model.from_arrays(arrays_of(variant, data), variant, of.items), of).score(users)
        for of in (data, training_only)
    )
    np.testing.assert_array_equal(one.preference, other.preference)
    np.testing.assert_array_equal(one.judgement, other.judgement)


def test_a_model_of_other_items_is_refused(data: Dataset) -> None:
    arrays = arrays_of(config(), data)
    with pytest.raises(InputError, match=r"^users/model: tensor items: found 39 rows, expected 40; run `dvc repro`$"):
        Model.from_arrays(arrays | {"items": arrays["items"][1:]}, config(), data.items)
    del arrays["items"]
    with pytest.raises(InputError, match=r"^users/model: tensor items: found 0 rows, expected 40; run `dvc repro`$"):
        Model.from_arrays(arrays, config(), data.items)


@pytest.mark.parametrize(
    "changes",
    [{"heads": ["like"]}, {"views": "likes"}, {"attention": "self"}, {"biases": False}],
)
def test_weights_of_another_variant_are_one_line(data: Dataset, changes: dict[str, Any]) -> None:
    with pytest.raises(
        InputError, match=r"^users/model: found weights of another model, expected those of this one: [^\n]+$"
    ):
        Model.from_arrays(arrays_of(config(), data), config(**changes), data.items)


def test_item_to_item_weights_that_are_missing_or_of_other_items_or_not_asked_for_are_one_line(data: Dataset) -> None:
    arrays = arrays_of(VARIANTS["extended"], data)
    for given, variant, line in (
        ({}, "co-rating", "found no item-to-item weights, expected 40 x 40"),
        # As models stored them that had weights for each view.
        ({"co_rating.likes": np.zeros((ITEMS, ITEMS))}, "co-rating", "found no item-to-item weights, expected 40 x 40"),
        ({"co_rating": np.zeros((2, 3))}, "co-rating", "found 2 x 3 item-to-item weights, expected 40 x 40"),
        ({"co_rating": np.zeros((ITEMS, ITEMS))}, "extended", "found item-to-item weights, expected none"),
    ):
        with pytest.raises(InputError, match=rf"^users/model: {line}; run `dvc repro`$"):
            Model.from_arrays(arrays | given, VARIANTS[variant], data.items)


def test_a_model_has_nothing_of_its_users(data: Dataset) -> None:
    arrays = arrays_of(VARIANTS["three-heads"], data)
    model = Model.from_arrays(arrays, VARIANTS["three-heads"], ITEMS)
    assert TrainedModel(model, random_dataset(USERS + 3, ITEMS)).score(np.array([USERS + 2])).preference.shape == (
        1,
        ITEMS,
    )


def test_biases_start_at_log_popularity_and_at_the_log_odds_of_the_damped_like_rate(data: Dataset) -> None:
    found = starting_biases(data, ["click", "like", "meet", "judge"])
    likes, dislikes = (matrix.toarray().sum(axis=0).tolist() for matrix in (data.train_likes, data.train_dislikes))
    overall = sum(likes) / (sum(likes) + sum(dislikes))
    assert found.like_rate == pytest.approx(overall)
    for head, counts in (
        ("click", likes),
        ("like", likes),
        ("meet", [a + b for a, b in zip(likes, dislikes, strict=True)]),
    ):
        logs = [math.log(count + 1) for count in counts]
        mean = sum(logs) / len(logs)
        assert found.items[head].tolist() == pytest.approx([log - mean for log in logs], abs=1e-5)
    rates = [(a + 5 * overall) / (a + b + 5) for a, b in zip(likes, dislikes, strict=True)]
    assert found.items["judge"].tolist() == pytest.approx([math.log(rate / (1 - rate)) for rate in rates], abs=1e-5)
    assert all(start.dtype == torch.float32 for start in found.items.values())
    assert starting_biases(data, ["meet"]).items.keys() == {"meet"}


def test_biases_stay_finite_where_everything_is_liked() -> None:
    rows = [row | {"like": True, "rating": 5.0} for row in random_rows(USERS, ITEMS, 0.5, 0)]
    for start in starting_biases(dataset(rows, [], USERS, ITEMS), ["meet", "judge"]).items.values():
        assert torch.isfinite(start).all()


def test_where_everything_is_liked_judge_starts_where_like_does_and_nobody_is_lenient() -> None:
    rows = [row | {"like": True, "rating": 5.0} for row in random_rows(USERS, ITEMS, 0.5, 0)]
    liked = dataset(rows, [], USERS, ITEMS)
    found = starting_biases(liked, ["like", "judge"])
    assert found.like_rate is None
    assert torch.equal(found.items["judge"], found.items["like"])
    scorer = build_scorer(config().for_data(ITEMS, 0, 1.0, 1), WIDTH, liked)
    assert scorer.heads == ("like", "judge")
    assert scorer.leniency(torch.tensor([3.0]), torch.tensor([0.0])) is None


@pytest.mark.parametrize(("fusion", "scale"), [("concat", 0.25), ("average", 0.25), ("linear", 1.0), ("gated", 1.0)])
def test_scores_of_vectors_that_start_large_are_scaled_by_their_length(
    data: Dataset, fusion: str, scale: float
) -> None:
    assert build_scorer(config(fusion=fusion), 16, data).scale == scale


def test_the_scorer_is_built_as_the_variant_says(data: Dataset) -> None:
    variant = config(attention="self", attention_heads=3, pooling_exponent=0.25, learn_exponent=False)
    scorer = build_scorer(variant, WIDTH, data)
    assert list(scorer.views) == ["likes", "dislikes"]
    view: Any = scorer.views["likes"]
    assert (view.heads, float(view.exponent), view.exponent.requires_grad) == (3, 0.25, False)
    assert set(view.output) == {"meet", "judge"}
    assert not build_scorer(config(biases=False), WIDTH, data).item_bias
