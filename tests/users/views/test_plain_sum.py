"""The view without attention against the written sum, and leave-one-out against leaving items out one by one."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.users.views.plain_sum import PlainSum
from tests.users.views import slow

WIDTH, ITEMS = 4, 9
OUTPUTS = ("meet", "judge")
SETS = [[0, 1, 2], [], [5], [8, 3, 4, 7, 1]]
sets_of_items = st.lists(st.lists(st.integers(0, ITEMS - 1), max_size=6, unique=True), min_size=1, max_size=4)


def view_of(exponent: float, learn_exponent: bool = True) -> PlainSum:
    view = slow.scrambled(PlainSum(WIDTH, 1, OUTPUTS, exponent, learn_exponent))
    assert isinstance(view, PlainSum)
    return view


@pytest.mark.parametrize("leave_one_out", [False, True])
@pytest.mark.parametrize("exponent", [0.0, 0.5, 1.0])
@settings(deadline=None, max_examples=20, derandomize=True)
@given(sets=sets_of_items)
def test_scores_are_the_written_ones_with_and_without_each_item(
    leave_one_out: bool, exponent: float, sets: list[list[int]]
) -> None:
    candidates, in_history = slow.vectors(ITEMS, WIDTH, 1), slow.vectors(ITEMS, WIDTH, 2)
    slow.assert_scores_are_the_slow_ones(view_of(exponent), candidates, in_history, sets, leave_one_out)


@pytest.mark.parametrize("exponent", [0.0, 0.7])
def test_the_gradient_is_that_of_the_function(exponent: float) -> None:
    slow.assert_gradients_are_those_of_the_function(view_of(exponent), SETS, ITEMS)


def test_empty_views_and_single_items_have_finite_gradients_and_score_zero() -> None:
    for sets in ([[], [4], [1, 2]], [[], []]):
        slow.assert_gradients_are_finite(view_of(0.5), sets, ITEMS)
    items = slow.vectors(ITEMS, WIDTH)
    for scores in view_of(0.5).scores(items, items, slow.ragged([[], [4]]), leave_one_out=True).values():
        assert not scores[0].any()
        assert scores[1, 4] == 0
        assert scores[1, :4].all()


def test_the_exponent_weighs_between_the_mean_and_the_sum() -> None:
    items = slow.vectors(ITEMS, WIDTH)
    mean, between, total = (
        view_of(exponent).scores(items, items, slow.ragged([[1, 2, 3, 4]]))["meet"] for exponent in (0.0, 0.5, 1.0)
    )
    assert torch.allclose(between, 2 * mean)
    assert torch.allclose(total, 4 * mean)


def test_the_exponent_is_learned_only_where_it_is_to_be() -> None:
    assert view_of(0.3).exponent.requires_grad
    assert not view_of(0.3, learn_exponent=False).exponent.requires_grad


def test_a_new_view_starts_as_the_mean_of_its_items_seen_through_nothing() -> None:
    view = PlainSum(WIDTH, 1, OUTPUTS, 0.0, False)
    assert torch.equal(view.value.detach(), torch.eye(WIDTH))
    assert [matrix.tolist() for matrix in view.output.values()] == [torch.eye(WIDTH).tolist()] * 2


def test_in_single_precision_leaving_out_of_a_long_history_stays_exact() -> None:
    items = slow.vectors(300, WIDTH)
    view = view_of(0.5)
    exact = view.scores(items, items, slow.ragged([list(range(200))]), leave_one_out=True)["meet"]
    found = view.float().scores(items.float(), items.float(), slow.ragged([list(range(200))]), leave_one_out=True)
    assert torch.allclose(found["meet"].double(), exact, atol=2e-4)


@pytest.mark.parametrize("exponent", [0.0, 0.5, 1.0])
@settings(deadline=None, max_examples=20, derandomize=True)
@given(sets=sets_of_items)
def test_a_user_is_the_sum_of_the_values_of_their_items_by_their_shares(exponent: float, sets: list[list[int]]) -> None:
    slow.assert_shares_make_the_users(view_of(exponent), slow.vectors(ITEMS, WIDTH), sets)
