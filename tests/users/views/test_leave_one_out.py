"""Values and gradients without each item, written by hand, against leaving items out one by one and PyTorch's own gradients."""

from __future__ import annotations

import pytest
import torch

from pipeline.users.views import leave_one_out
from pipeline.users.views.leave_one_out import SHARP, LeftOut, Sets, attention_weights, leave_each_out

LENGTHS = (6, 4, 2, 1)
SEED = 0


def parts(sharpness: float, width: int = 3) -> list[torch.Tensor]:
    """Query, key and value of sets of `LENGTHS`, padded to the longest."""
    torch.manual_seed(SEED)
    shape = (len(LENGTHS), max(LENGTHS), width)
    query, key, value = (torch.randn(shape, dtype=torch.float64) for _ in range(3))
    return [(query * sharpness).requires_grad_(), key.requires_grad_(), value.requires_grad_()]


PRESENT = torch.arange(max(LENGTHS)) < torch.tensor(LENGTHS).unsqueeze(1)


def left_out(*given: torch.Tensor) -> LeftOut:
    """Of a single chunk."""
    return leave_each_out([Sets(*given, PRESENT)])[0]


def one_by_one(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The mean of the attention's outputs over each set, and over each set without each item."""

    def pooled(number: int, rows: list[int]) -> torch.Tensor:
        if not rows:
            return torch.zeros(query.shape[2], dtype=query.dtype)
        logits = query[number, rows] @ key[number, rows].T / query.shape[2] ** 0.5
        return (logits.softmax(dim=1) @ value[number, rows]).mean(dim=0)

    whole = [pooled(number, list(range(length))) for number, length in enumerate(LENGTHS)]
    nothing = torch.zeros(query.shape[2], dtype=query.dtype)
    without = [
        pooled(number, [i for i in range(length) if i != j]) if j < length else nothing
        for number, length in enumerate(LENGTHS)
        for j in range(max(LENGTHS))
    ]
    return torch.stack(whole), torch.stack(without).view_as(value)


def sharp_rows(query: torch.Tensor, key: torch.Tensor) -> int:
    """Weights off the diagonal that are too large for the short way."""
    weights = attention_weights(query, key, PRESENT.unsqueeze(2).double())
    off = ~torch.eye(max(LENGTHS), dtype=torch.bool)
    return int(((weights > SHARP) & off & PRESENT.unsqueeze(2)).sum())


@pytest.mark.parametrize(("sharpness", "peaks"), [(1.0, False), (14.0, True), (60.0, True)])
def test_values_and_gradients_are_those_of_leaving_items_out_one_by_one(sharpness: float, peaks: bool) -> None:
    given = parts(sharpness)
    assert (sharp_rows(*given[:2]) > 0) == peaks
    found, expected = left_out(*given), one_by_one(*given)
    towards = [torch.randn_like(part) for part in expected]
    for fast, slow in zip(found, expected, strict=True):
        torch.testing.assert_close(fast, slow, rtol=0, atol=1e-12)
    fast_gradients = torch.autograd.grad(list(found), given, towards)
    slow_gradients = torch.autograd.grad(list(expected), given, towards)
    for fast, slow in zip(fast_gradients, slow_gradients, strict=True):
        torch.testing.assert_close(fast, slow, rtol=0, atol=1e-9)


@pytest.mark.parametrize("sharpness", [1.0, 14.0])
def test_padding_gets_no_gradient(sharpness: float) -> None:
    given = parts(sharpness)
    whole, without = left_out(*given)
    for gradient in torch.autograd.grad([whole.sum() + without.square().sum()], given):
        assert gradient[~PRESENT].abs().sum() == 0


def test_in_single_precision_gradients_stay_close_below_the_peak_and_above(monkeypatch: pytest.MonkeyPatch) -> None:
    given = parts(4.0)
    towards = [torch.randn_like(part) for part in one_by_one(*given)]
    expected = torch.autograd.grad(list(one_by_one(*given)), given, towards)
    for sharp in (SHARP, 0.5):
        monkeypatch.setattr(leave_one_out, "SHARP", sharp)
        single = [part.detach().float().requires_grad_() for part in given]
        found = torch.autograd.grad(list(left_out(*single)), single, [each.float() for each in towards])
        for fast, slow in zip(found, expected, strict=True):
            torch.testing.assert_close(fast.double(), slow, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("sharpness", [1.0, 14.0])
def test_chunks_side_by_side_are_what_they_are_alone_byte_for_byte(
    sharpness: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    together = [Sets(*(part[number : number + 2] for part in (*parts(sharpness), PRESENT))) for number in range(3)]
    found = []
    for cores in (1, 3):
        monkeypatch.setattr("pipeline.common.side_by_side.cores_here", lambda cores=cores: cores)
        given = [Sets(*(part.detach().requires_grad_() for part in chunk[:3]), chunk.present) for chunk in together]
        views = leave_each_out(given)
        total = sum(number * view.square().sum() for number, one in enumerate(views, 1) for view in one)
        wanted = [part for chunk in given for part in chunk[:3]]
        found.append([*(view for one in views for view in one), *torch.autograd.grad(total, wanted)])
    alone = [leave_each_out([chunk])[0] for chunk in together]
    for one, other in zip(*found, strict=True):
        assert torch.equal(one, other)
    for one, other in zip(found[1], (view for each in alone for view in each), strict=False):
        torch.testing.assert_close(one, other)
