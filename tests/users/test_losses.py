"""Every loss against its formula, written out in Python."""

from __future__ import annotations

import math

import pytest
import torch

from pipeline.users.losses import click_loss, drawn_judge_loss, judge_loss, loss_over_catalogue
from tests.users.views.slow import ragged

SCORES = torch.tensor([[1.0, 2.0, -1.0, 0.5], [0.2, -0.3, 3.0, 1.5]], dtype=torch.float64)


def test_the_click_loss_is_the_written_one_summed_over_the_positives() -> None:
    likes = ragged([[1, 3], [0]])
    negatives = torch.tensor([[0, 2], [2, 2], [1, 3]])
    loss = click_loss(SCORES, likes, negatives, torch.ones_like(negatives, dtype=torch.bool))
    expected = 0.0
    for (user, positive), drawn in zip([(0, 1), (0, 3), (1, 0)], negatives.tolist(), strict=True):
        up = math.exp(SCORES[user, positive])
        expected -= math.log(up / (up + sum(math.exp(SCORES[user, item]) for item in drawn)))
    assert float(loss) == pytest.approx(expected)


def test_a_negative_that_does_not_count_is_left_out_of_the_sum() -> None:
    counts = torch.tensor([[True, False]])
    loss = click_loss(SCORES[:1], ragged([[1]]), torch.tensor([[0, 3]]), counts)
    assert float(loss) == pytest.approx(math.log(1 + math.exp(1.0 - 2.0)))


def test_a_positive_without_negatives_adds_nothing_to_loss_and_gradient() -> None:
    scores = torch.tensor([[1.0, 2.0], [0.0, 3.0]], dtype=torch.float64, requires_grad=True)
    loss = click_loss(scores, ragged([[0], [1]]), torch.tensor([[1], [0]]), torch.tensor([[True], [False]]))
    loss.backward()
    assert float(loss.detach()) == pytest.approx(math.log(1 + math.exp(1.0)))
    assert scores.grad is not None
    assert scores.grad[1].tolist() == [0.0, 0.0]


def test_over_the_catalogue_every_item_counts_but_the_users_other_positives() -> None:
    # User 0 likes 0, 1 and 3; of these, 3 is no target. User 1 likes 2.
    positive = torch.tensor([[True, True, False, True], [False, False, True, False]])
    loss = loss_over_catalogue(SCORES, ragged([[0, 1], [2]]), positive)
    expected = 0.0
    for user, target, negatives in ((0, 0, [2]), (0, 1, [2]), (1, 2, [0, 1, 3])):
        up = math.exp(SCORES[user, target])
        expected -= math.log(up / (up + sum(math.exp(SCORES[user, item]) for item in negatives)))
    assert float(loss) == pytest.approx(expected)


def test_who_rated_everything_adds_nothing_to_the_loss_over_the_catalogue() -> None:
    scores = SCORES[:1].clone().requires_grad_()
    loss = loss_over_catalogue(scores, ragged([[0, 1]]), torch.ones(1, 4, dtype=torch.bool))
    loss.backward()
    assert float(loss.detach()) == 0
    assert scores.grad is not None
    assert not scores.grad.any()


def test_large_scores_do_not_overflow() -> None:
    scores = torch.tensor([[900.0, -900.0, 0.0]])
    assert float(loss_over_catalogue(scores, ragged([[1]]), torch.tensor([[False, True, False]]))) == 1800
    assert float(judge_loss(scores, ragged([[1]]), ragged([[0]]), None)) == 1800


@pytest.mark.parametrize("leniency", [None, ([0.7, -0.4], [0.9, -0.1])])
def test_the_judge_loss_is_the_cross_entropy_of_likes_among_what_was_rated(
    leniency: tuple[list[float], list[float]] | None,
) -> None:
    likes, dislikes = [[1, 3], []], [[2], [0, 3]]
    expected = 0.0
    for place, (sets, liked) in enumerate(((likes, True), (dislikes, False))):
        for user, items in enumerate(sets):
            for item in items:
                logit = float(SCORES[user, item]) + (0.0 if leniency is None else leniency[place][user])
                probability = 1 / (1 + math.exp(-logit))
                expected -= math.log(probability if liked else 1 - probability)
    given = None
    if leniency is not None:
        without_like, without_dislike = (torch.tensor(values, dtype=torch.float64) for values in leniency)
        given = without_like, without_dislike
    assert float(judge_loss(SCORES, ragged(likes), ragged(dislikes), given)) == pytest.approx(expected)


@pytest.mark.parametrize("weights", [None, [1.0, 2.5, 0.5, 4.0]], ids=["all", "sampled"])
def test_without_dislikes_a_like_is_judged_against_the_mean_item_that_the_user_does_not_like(
    weights: list[float] | None,
) -> None:
    # User 0 likes 0, 1 and 3; of these, 3 is no target. User 1 likes 2.
    likes, liked = [[0, 1], [2]], [{0, 1, 3}, {2}]
    expected = 0.0
    for user, targets in enumerate(likes):
        others = [item for item in range(4) if item not in liked[user]]
        share = [1.0 if weights is None else weights[item] for item in others]
        told = [-math.log(1 - 1 / (1 + math.exp(-SCORES[user, item]))) for item in others]
        against = sum(a * b for a, b in zip(share, told, strict=True)) / sum(share)
        expected += sum(-math.log(1 / (1 + math.exp(-SCORES[user, item]))) + against for item in targets)
    matrix = torch.tensor([[item in mine for item in range(4)] for mine in liked])
    log_weights = None if weights is None else torch.tensor(weights, dtype=torch.float64).log()
    assert float(drawn_judge_loss(SCORES, ragged(likes), matrix, log_weights)) == pytest.approx(expected)


def test_who_likes_everything_is_judged_by_their_likes_alone() -> None:
    scores = SCORES[:1].clone().requires_grad_()
    loss = drawn_judge_loss(scores, ragged([[1]]), torch.ones(1, 4, dtype=torch.bool))
    loss.backward()
    assert float(loss.detach()) == pytest.approx(math.log(1 + math.exp(-2.0)))
    assert scores.grad is not None
    assert scores.grad.isfinite().all()
    assert scores.grad[0, [0, 2, 3]].tolist() == [0, 0, 0]
