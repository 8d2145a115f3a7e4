"""Candidate-aware attention against the written softmax over each history, and leave-one-out against leaving items out."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.users.views.candidate_attention import FLOOR, CandidateAttention
from pipeline.users.views.plain_sum import PlainSum
from tests.users.views import slow

WIDTH, ITEMS = 4, 9
OUTPUTS = ("meet", "judge")
SETS = [[0, 1, 2], [], [5], [8, 3, 4, 7, 1]]
sets_of_items = st.lists(st.lists(st.integers(0, ITEMS - 1), max_size=6, unique=True), min_size=1, max_size=4)


def view_of(heads: int, exponent: float) -> CandidateAttention:
    view = slow.scrambled(CandidateAttention(WIDTH, heads, OUTPUTS, exponent, True))
    assert isinstance(view, CandidateAttention)
    return view


@pytest.mark.parametrize("leave_one_out", [False, True])
@pytest.mark.parametrize(("heads", "exponent"), [(1, 0.0), (2, 0.5), (4, 1.0)])
@settings(deadline=None, max_examples=15, derandomize=True)
@given(sets=sets_of_items)
def test_scores_are_the_written_ones_with_and_without_each_item(
    leave_one_out: bool, heads: int, exponent: float, sets: list[list[int]]
) -> None:
    candidates, in_history = slow.vectors(ITEMS, WIDTH, 1), slow.vectors(ITEMS, WIDTH, 2)
    slow.assert_scores_are_the_slow_ones(view_of(heads, exponent), candidates, in_history, sets, leave_one_out)


@pytest.mark.parametrize("heads", [1, 2])
def test_the_gradient_is_that_of_the_function(heads: int) -> None:
    slow.assert_gradients_are_those_of_the_function(view_of(heads, 0.5), SETS, ITEMS)


@pytest.mark.parametrize("single", [False, True])
def test_empty_views_and_single_items_have_finite_gradients_and_score_zero(single: bool) -> None:
    view = view_of(2, 0.5)
    view = view.float() if single else view
    for sets in ([[], [4], [1, 2]], [[], []]):
        slow.assert_gradients_are_finite(view, sets, ITEMS)
    items = slow.vectors(ITEMS, WIDTH).to(view.value.dtype)
    for scores in view.scores(items, items, slow.ragged([[], [4]]), leave_one_out=True).values():
        assert not scores[0].any()
        assert scores[1, 4] == 0
        assert scores[1, :4].all()


def spread(view: CandidateAttention, items: torch.Tensor) -> torch.Tensor:
    """How far the logits of each candidate lie apart, the most of any head."""
    queries, keys = (items @ matrix.detach() for matrix in (view.query, view.key))
    logits = torch.stack(
        [
            q @ k.T * q.shape[1] ** -0.5
            for q, k in zip(queries.chunk(view.heads, 1), keys.chunk(view.heads, 1), strict=True)
        ]
    )
    return (logits.amax(dim=2) - logits.amin(dim=2)).amax(dim=0)


@pytest.mark.parametrize("leave_one_out", [False, True])
def test_logits_that_lie_far_apart_give_the_written_softmax(leave_one_out: bool) -> None:
    view, items = view_of(2, 0.5), slow.vectors(ITEMS, WIDTH)
    with torch.no_grad():
        view.query *= -0.99 * FLOOR / float(spread(view, items).max())
    assert spread(view, items).max() > 30
    slow.assert_scores_are_the_slow_ones(view, items, items, SETS, leave_one_out)


def test_logits_that_are_large_alike_give_the_written_softmax_in_single_precision() -> None:
    view, items = view_of(1, 0.0), slow.vectors(ITEMS, WIDTH)
    with torch.no_grad():
        # All items have one dimension in common, which alone makes logits that are in the hundreds and the same for all.
        items[:, 0] = 50.0
        view.key[0] = torch.tensor([1.0, 0.0, 0.0, 0.0])
        view.query[0] = torch.tensor([0.5, 0.0, 0.0, 0.0])
        view.key[1:, 0] = 0.0
    logits = (items @ view.query.detach()) @ (items @ view.key.detach()).T / 2
    assert logits.min() > 300
    exact = [
        [slow.slow_score(view, items, items, chosen, candidate, "meet") for candidate in range(ITEMS)]
        for chosen in SETS
    ]
    found = view.float().scores(items.float(), items.float(), slow.ragged(SETS))["meet"]
    scale = max(abs(score) for row in exact for score in row)
    assert torch.allclose(found.double(), torch.tensor(exact, dtype=torch.float64), atol=1e-4 * scale)


@pytest.mark.parametrize("sharpness", [100.0, 1e5])
def test_however_large_the_logits_scores_and_gradients_stay_finite(sharpness: float) -> None:
    view = view_of(2, 0.5).float()
    with torch.no_grad():
        view.query *= sharpness
    slow.assert_gradients_are_finite(view, SETS, ITEMS)


def test_a_history_that_lies_far_below_the_catalogues_best_as_a_whole_is_looked_at_evenly() -> None:
    # The one place where scores are not the written ones: the highest logit is the catalogue's, not the history's.
    view, items = view_of(1, 0.5), slow.vectors(ITEMS, WIDTH)
    items[:, 0] = 1.0
    items[0, 0] = 1000.0
    with torch.no_grad():
        for matrix in (view.query, view.key):
            matrix.copy_(torch.eye(WIDTH))
    plain = PlainSum(WIDTH, 1, OUTPUTS, 0.5, True).double()
    shared = ("value", "output.meet", "output.judge", "exponent")
    plain.load_state_dict({name: view.state_dict()[name] for name in shared})
    found, even = (each.scores(items, items, slow.ragged([[1, 2, 3]]))["meet"] for each in (view, plain))
    assert torch.allclose(found, even)


def test_what_a_candidate_looks_at_is_the_history_and_not_the_catalogue() -> None:
    view, items = view_of(2, 0.5), slow.vectors(ITEMS, WIDTH)
    before = view.scores(items, items, slow.ragged([[1, 2, 3]]))["meet"]
    elsewhere = items.clone()
    elsewhere[[0, 4, 5]] *= 3
    assert torch.allclose(view.scores(items, elsewhere, slow.ragged([[1, 2, 3]]))["meet"], before)


def test_queries_and_keys_start_at_random_and_each_by_itself() -> None:
    torch.manual_seed(0)
    view = CandidateAttention(64, 4, OUTPUTS, 0.0, False)
    for matrix in (view.query, view.key):
        assert matrix.std().item() == pytest.approx(1 / 8, rel=0.1)
    assert not torch.equal(view.query, view.key)
