"""A view against the written equations, and leave-one-out against leaving items out one by one."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.users.views import self_attention
from pipeline.users.views.leave_one_out import Sets
from pipeline.users.views.self_attention import SelfAttention, attend
from tests.users.views import slow
from tests.users.views.slow import ragged

WIDTH, HEADS, ITEMS = 6, 2, 15
sets_of_items = st.lists(st.lists(st.integers(0, ITEMS - 1), max_size=6, unique=True), min_size=1, max_size=5)


def view_of(
    exponent: float = 0.0, outputs: Sequence[str] = ("click",), heads: int = HEADS, seed: int = 3
) -> SelfAttention:
    view = slow.scrambled(SelfAttention(WIDTH, heads, outputs, exponent, True), seed)
    assert isinstance(view, SelfAttention)
    return view


@pytest.fixture
def view() -> SelfAttention:
    return view_of()


@pytest.fixture
def items() -> torch.Tensor:
    return torch.randn(ITEMS, WIDTH, dtype=torch.float64, generator=torch.Generator().manual_seed(5))


def slow_user(view: SelfAttention, items: torch.Tensor, chosen: Sequence[int]) -> list[float]:
    """A user vector u of one set by the equations of the method."""
    return slow.slow_user(view, items[list(chosen)], items[0], "click")


def user_vectors(view: SelfAttention, pooled: torch.Tensor) -> torch.Tensor:
    """The user vectors u from the pooled heads: W^O applied."""
    return pooled @ view.output["click"]


def attended(*parts: torch.Tensor, leave_one_out: bool = False) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Of a single chunk."""
    return attend([Sets(*parts)], leave_one_out=leave_one_out)[0]


@settings(deadline=None, max_examples=40, derandomize=True)
@given(sets=sets_of_items)
def test_a_view_is_the_written_attention_averaged_over_rows(sets: list[list[int]]) -> None:
    view = view_of(seed=1)
    items = torch.randn(ITEMS, WIDTH, dtype=torch.float64)
    found = user_vectors(view, view.pool(view.project(items), ragged(sets)).whole)
    for row, chosen in zip(found.tolist(), sets, strict=True):
        assert row == pytest.approx(slow_user(view, items, chosen), abs=1e-10)


@settings(deadline=None, max_examples=40, derandomize=True)
@given(sets=sets_of_items)
def test_leaving_each_item_out_in_one_pass_is_leaving_them_out_one_by_one(sets: list[list[int]]) -> None:
    view = view_of(seed=2)
    items = torch.randn(ITEMS, WIDTH, dtype=torch.float64)
    pooled = view.pool(view.project(items), ragged(sets), leave_one_out=True)
    assert pooled.without is not None
    found = user_vectors(view, pooled.without).tolist()
    expected = [
        slow_user(view, items, [other for other in chosen if other != item]) for chosen in sets for item in chosen
    ]
    assert len(found) == len(expected)
    for row, one_by_one in zip(found, expected, strict=True):
        assert row == pytest.approx(one_by_one, abs=1e-8)


def test_in_single_precision_long_histories_stay_within_a_hundred_thousandth(view: SelfAttention) -> None:
    items = torch.randn(300, WIDTH, dtype=torch.float64)
    chosen = list(range(200))
    single = view.float()
    pooled = single.pool(single.project(items.float()), ragged([chosen]), leave_one_out=True)
    assert pooled.without is not None
    double = view.double()
    for j in (0, 57, 199):
        rest = double.pool(double.project(items), ragged([[other for other in chosen if other != j]])).whole[0]
        assert pooled.without[j].tolist() == pytest.approx(rest.tolist(), abs=1e-5)


@pytest.mark.parametrize("sharpness", [1.0, 6.0, 14.0, 60.0])
@pytest.mark.parametrize("length", [2, 6])
def test_however_sharp_the_attention_leaving_out_is_exact_in_single_precision(sharpness: float, length: int) -> None:
    torch.manual_seed(8)
    query, key, value = (torch.randn(3, HEADS, length, 3, dtype=torch.float64) for _ in range(3))
    query = query * sharpness
    present = torch.ones(3, length, dtype=torch.bool)
    _, found = attended(query.float(), key.float(), value.float(), present, leave_one_out=True)
    assert found is not None
    for j in range(length):
        rest = [other for other in range(length) if other != j]
        slow, _ = attended(query[:, :, rest], key[:, :, rest], value[:, :, rest], present[:, rest])
        assert torch.allclose(found[:, j].double(), slow, atol=1e-4)


def test_an_empty_view_is_the_zero_vector(view: SelfAttention, items: torch.Tensor) -> None:
    pooled = view.pool(view.project(items), ragged([[], [1, 2], []]), leave_one_out=True)
    assert pooled.whole[0].tolist() == [0.0] * WIDTH
    assert pooled.whole[2].tolist() == [0.0] * WIDTH
    assert pooled.whole[1].abs().sum() > 0
    alone = view.pool(view.project(items), ragged([[], []]), leave_one_out=True)
    assert alone.whole.abs().sum() == 0
    assert alone.without is not None
    assert alone.without.shape == (0, WIDTH)


def test_a_view_without_its_only_item_is_the_zero_vector(view: SelfAttention, items: torch.Tensor) -> None:
    pooled = view.pool(view.project(items), ragged([[4]]), leave_one_out=True)
    assert pooled.without is not None
    assert pooled.without.abs().sum() == 0
    assert pooled.whole.abs().sum() > 0


def test_empty_views_and_single_items_have_finite_gradients(view: SelfAttention, items: torch.Tensor) -> None:
    items.requires_grad_()
    pooled = view.pool(view.project(items), ragged([[], [4], [1, 2]]), leave_one_out=True)
    assert pooled.without is not None
    (pooled.whole.square().sum() + pooled.without.square().sum()).backward()
    assert items.grad is not None
    assert torch.isfinite(items.grad).all()
    assert all(torch.isfinite(parameter.grad).all() for parameter in view.parameters() if parameter.grad is not None)


def test_a_history_is_a_set_without_an_order(view: SelfAttention, items: torch.Tensor) -> None:
    forwards = view.pool(view.project(items), ragged([[1, 5, 9, 12]])).whole
    backwards = view.pool(view.project(items), ragged([[12, 9, 5, 1]])).whole
    assert torch.allclose(forwards, backwards)


def test_chunks_of_users_do_not_change_what_comes_out(
    view: SelfAttention, items: torch.Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    history = ragged([[1, 2, 3, 4, 5], [6], [], [7, 8], [9, 10, 11], [2, 4]])
    at_once = view.pool(view.project(items), history, leave_one_out=True)
    monkeypatch.setattr(self_attention, "CHUNK_CELLS", 1)
    one_by_one = view.pool(view.project(items), history, leave_one_out=True)
    assert torch.allclose(at_once.whole, one_by_one.whole)
    assert at_once.without is not None
    assert one_by_one.without is not None
    assert torch.allclose(at_once.without, one_by_one.without)


def test_padding_gets_no_weight_and_gives_none() -> None:
    torch.manual_seed(0)
    query, key, value = (torch.randn(1, HEADS, 5, 3, dtype=torch.float64) for _ in range(3))
    present = torch.tensor([[True, True, True, False, False]])
    padded, without = attended(query, key, value, present, leave_one_out=True)
    bare, bare_without = attended(query[:, :, :3], key[:, :, :3], value[:, :, :3], present[:, :3], leave_one_out=True)
    assert torch.allclose(padded, bare)
    assert without is not None
    assert bare_without is not None
    assert torch.allclose(without[:, :3], bare_without)
    assert without[:, 3:].abs().sum() == 0


def test_the_gradient_is_that_of_the_function() -> None:
    torch.manual_seed(0)
    query, key, value = (torch.randn(2, 1, 3, 2, dtype=torch.float64, requires_grad=True) for _ in range(3))
    present = torch.tensor([[True, True, True], [True, True, False]])

    def both(*parts: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        whole, without = attended(*parts, present, leave_one_out=True)
        assert without is not None
        return whole, without

    assert torch.autograd.gradcheck(both, (query, key, value))


def test_candidates_seen_by_the_pooled_heads_score_like_the_user_vector(
    view: SelfAttention, items: torch.Tensor
) -> None:
    pooled = view.pool(view.project(items), ragged([[1, 2, 3]])).whole
    assert torch.allclose(pooled @ view.towards(items, "click").T, user_vectors(view, pooled) @ items.T)


def test_a_new_view_starts_as_the_mean_of_its_items_seen_through_nothing() -> None:
    view = SelfAttention(WIDTH, HEADS, ["click"], 0.0, False)
    assert torch.equal(view.value.detach(), torch.eye(WIDTH))
    assert torch.equal(view.output["click"].detach(), torch.eye(WIDTH))


def test_queries_and_keys_start_at_random_and_each_by_itself() -> None:
    torch.manual_seed(0)
    view = SelfAttention(64, 4, ["click"], 0.0, False)
    for matrix in (view.query, view.key):
        assert matrix.std().item() == pytest.approx(1 / 8, rel=0.1)
    assert not torch.equal(view.query, view.key)


def test_the_attention_weights_of_a_chunk_stay_within_their_bound_over_all_heads(
    view: SelfAttention, items: torch.Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    cells = []

    def spy(chunks: Sequence[Sets], *, leave_one_out: bool) -> list[tuple[torch.Tensor, torch.Tensor | None]]:
        for chunk in chunks:
            held, heads, length, _ = chunk.query.shape
            cells.append(held * heads * length**2)
        return attend(chunks, leave_one_out=leave_one_out)

    monkeypatch.setattr(self_attention, "attend", spy)
    monkeypatch.setattr(self_attention, "CHUNK_CELLS", 3 * HEADS * 4)
    view.pool(view.project(items), ragged([[1, 2]] * 7))
    assert cells == [3 * HEADS * 4, 3 * HEADS * 4, HEADS * 4]


@pytest.mark.parametrize("leave_one_out", [False, True])
@pytest.mark.parametrize(("heads", "exponent"), [(1, 0.0), (2, 0.5), (3, 1.0)])
@settings(deadline=None, max_examples=8, derandomize=True)
@given(sets=sets_of_items)
def test_scores_of_several_outputs_are_the_written_ones_with_and_without_each_item(
    leave_one_out: bool, heads: int, exponent: float, sets: list[list[int]]
) -> None:
    view = view_of(exponent, ("meet", "judge"), heads)
    candidates, in_history = slow.vectors(ITEMS, WIDTH, 1), slow.vectors(ITEMS, WIDTH, 2)
    slow.assert_scores_are_the_slow_ones(view, candidates, in_history, sets, leave_one_out)


def test_the_gradient_of_the_scores_is_that_of_the_function() -> None:
    view = view_of(0.5, ("meet", "judge"))
    slow.assert_gradients_are_those_of_the_function(view, [[0, 1, 2], [], [3]], 4)
    slow.assert_gradients_are_finite(view, [[], []], 4)


@pytest.mark.parametrize("cells", [1, 60, 500_000])
@pytest.mark.parametrize(("heads", "exponent"), [(1, 0.0), (2, 0.5), (3, 1.0)])
@settings(deadline=None, max_examples=20, derandomize=True)
@given(sets=sets_of_items)
def test_a_user_is_the_sum_of_the_values_of_their_items_by_their_shares(
    cells: int, heads: int, exponent: float, sets: list[list[int]]
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(self_attention, "CHUNK_CELLS", cells)
        slow.assert_shares_make_the_users(view_of(exponent, heads=heads), slow.vectors(ITEMS, WIDTH), sets)
