"""Click score and loss against the formulas, written out in Python."""

from __future__ import annotations

import math

import pytest
import torch

from pipeline.click import TwoViewClick, click_loss, click_loss_over_catalogue
from tests.test_users import ragged, slow_user

WIDTH, ITEMS = 6, 9
LIKES = [[0, 1, 2], [3], []]
DISLIKES = [[4, 5], [], [6, 7, 8]]


@pytest.fixture
def click() -> TwoViewClick:
    torch.manual_seed(4)
    made = TwoViewClick(WIDTH, 2).double()
    for parameter in made.parameters():
        torch.nn.init.normal_(parameter, std=0.7)
    return made


@pytest.fixture
def items() -> torch.Tensor:
    return torch.randn(ITEMS, WIDTH, dtype=torch.float64, generator=torch.Generator().manual_seed(6))


def slow_click(
    click: TwoViewClick, items: torch.Tensor, likes: list[int], dislikes: list[int], candidate: int
) -> float:
    """click(u, c) = (w1 r_c . u+ + w2 r_c . u-) / sqrt(d)"""
    plus, minus = slow_user(click.likes, items, likes), slow_user(click.dislikes, items, dislikes)
    vector = items[candidate].tolist()
    first = sum(a * b for a, b in zip(vector, plus, strict=True))
    second = sum(a * b for a, b in zip(vector, minus, strict=True))
    return (click.weights[0].item() * first + click.weights[1].item() * second) / math.sqrt(WIDTH)


def test_the_score_weighs_both_views(click: TwoViewClick, items: torch.Tensor) -> None:
    scores = click(items, ragged(LIKES), ragged(DISLIKES))
    for user, (likes, dislikes) in enumerate(zip(LIKES, DISLIKES, strict=True)):
        for candidate in range(ITEMS):
            expected = slow_click(click, items, likes, dislikes, candidate)
            assert float(scores[user, candidate]) == pytest.approx(expected, abs=1e-9)


def test_every_cell_is_scored_by_the_user_without_that_item_in_the_view_it_sits_in(
    click: TwoViewClick, items: torch.Tensor
) -> None:
    scores = click(items, ragged(LIKES), ragged(DISLIKES), leave_one_out=True)
    for user, (likes, dislikes) in enumerate(zip(LIKES, DISLIKES, strict=True)):
        for candidate in range(ITEMS):
            rest = [item for item in likes if item != candidate], [item for item in dislikes if item != candidate]
            assert float(scores[user, candidate]) == pytest.approx(slow_click(click, items, *rest, candidate), abs=1e-8)


def test_scores_without_dropout_are_the_same_every_time_and_with_it_are_not(
    click: TwoViewClick, items: torch.Tensor
) -> None:
    histories = ragged(LIKES), ragged(DISLIKES)
    assert torch.equal(click(items, *histories), click(items, *histories))
    assert not torch.equal(click(items, *histories, drop=0.5), click(items, *histories, drop=0.5))


def test_the_loss_is_the_written_one_summed_over_the_positives() -> None:
    scores = torch.tensor([[1.0, 2.0, -1.0, 0.5], [0.2, -0.3, 3.0, 1.5]], dtype=torch.float64)
    likes = ragged([[1, 3], [0]])
    negatives = torch.tensor([[0, 2], [2, 2], [1, 3]])
    loss = click_loss(scores, likes, negatives, torch.ones_like(negatives, dtype=torch.bool))
    expected = 0.0
    for (user, positive), drawn in zip([(0, 1), (0, 3), (1, 0)], negatives.tolist(), strict=True):
        up = math.exp(scores[user, positive])
        expected -= math.log(up / (up + sum(math.exp(scores[user, item]) for item in drawn)))
    assert float(loss) == pytest.approx(expected)


def test_a_positive_without_negatives_adds_nothing_to_loss_and_gradient() -> None:
    scores = torch.tensor([[1.0, 2.0], [0.0, 3.0]], dtype=torch.float64, requires_grad=True)
    likes = ragged([[0], [1]])
    negatives = torch.tensor([[1], [0]])
    counts = torch.tensor([[True], [False]])
    loss = click_loss(scores, likes, negatives, counts)
    loss.backward()
    assert float(loss.detach()) == pytest.approx(math.log(1 + math.exp(1.0)))
    assert scores.grad is not None
    assert scores.grad[1].tolist() == [0.0, 0.0]


def test_over_the_catalogue_every_item_counts_but_the_users_other_likes() -> None:
    scores = torch.tensor([[1.0, 2.0, -1.0, 0.5]], dtype=torch.float64)
    # The user likes 0, 1 and 3; of these, 3 was cut from the history by its largest length and is no target.
    liked = torch.tensor([[True, True, False, True]])
    loss = click_loss_over_catalogue(scores, ragged([[0, 1]]), liked)
    expected = 0.0
    for positive in (0, 1):
        up = math.exp(scores[0, positive])
        expected -= math.log(up / (up + math.exp(scores[0, 2])))
    assert float(loss) == pytest.approx(expected)


def test_large_scores_do_not_overflow() -> None:
    scores = torch.tensor([[900.0, -900.0, 0.0]])
    assert float(
        click_loss_over_catalogue(scores, ragged([[1]]), torch.tensor([[False, True, False]]))
    ) == pytest.approx(1800)


def test_dropout_falls_on_candidates_and_on_histories_each_by_itself() -> None:
    # All items are vectors of ones and the views are identities: a score counts the dimensions that both roles kept,
    # each kept value doubled. With one mask for both roles, item 0 would keep all that its history keeps.
    torch.manual_seed(0)
    click = TwoViewClick(64, 1)
    kept = click(torch.ones(200, 64), ragged([[0]]), ragged([[]]), drop=0.5)[0].detach() / click.scale / 4
    assert torch.equal(kept, kept.round())
    assert kept[1:].std() > 1
    assert kept[0] < 28
    assert kept.max() < 64


def test_both_views_weigh_one_to_begin_with() -> None:
    assert TwoViewClick(6, 2).weights.tolist() == [1.0, 1.0]
    assert TwoViewClick(16, 2).scale == 0.25
