"""The other ways to make a view compute what ours do: only then may their times be compared."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn

from benchmarks.user_training.other_views import Bags, OneAtATime, OtherView, Padded, PaddedWhole, batches, without_each
from pipeline.users.views.plain_sum import PlainSum
from pipeline.users.views.self_attention import SelfAttention
from pipeline.users.views.view import View
from tests.users.views import slow

WIDTH, ITEMS = 6, 9
SETS = [[0, 3, 5, 8], [], [7], [2, 1, 4, 6, 3], [5, 0]]


def attention() -> View:
    return slow.scrambled(SelfAttention(WIDTH, 2, ["click"], 0.5, True))


def plain() -> View:
    return slow.scrambled(PlainSum(WIDTH, 1, ["meet", "judge"], 0.5, True))


@pytest.mark.parametrize("leave_one_out", [False, True])
@pytest.mark.parametrize(
    ("other", "of"), [(OneAtATime, attention), (Padded, attention), (OneAtATime, plain), (Bags, plain)]
)
def test_scores_and_gradients_are_ours(other: type[OtherView], of: Callable[[], View], leave_one_out: bool) -> None:
    found, gradients = scored(other(of()), leave_one_out)
    expected, ours = scored(of(), leave_one_out)
    for head, scores in expected.items():
        torch.testing.assert_close(found[head], scores)
    torch.testing.assert_close(gradients, ours)


def scored(view: nn.Module, leave_one_out: bool) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
    """Scores, and their gradient by the items in a history."""
    candidates, in_history = slow.vectors(ITEMS, WIDTH, 1), slow.vectors(ITEMS, WIDTH, 2).requires_grad_()
    found = view.scores(candidates, in_history, slow.ragged(SETS), leave_one_out=leave_one_out)
    total = torch.stack([scores.square().sum() for scores in found.values()]).sum()
    return found, torch.autograd.grad(total, in_history)[0]


def test_the_padded_module_with_nothing_left_out_scores_by_whole_histories() -> None:
    view = PaddedWhole(attention())
    torch.testing.assert_close(scored(view, True)[0], scored(attention(), False)[0])
    assert not torch.allclose(scored(view, True)[0]["click"], scored(attention(), True)[0]["click"])


def test_the_modules_weights_are_its_own_and_learn() -> None:
    view = Padded(attention())
    assert {name for name, each in view.named_parameters() if each.requires_grad} == {
        "attention.in_proj_weight",
        "attention.out_proj.weight",
    }


def test_each_row_lacks_one_item_and_batches_stay_within_their_cells(monkeypatch: pytest.MonkeyPatch) -> None:
    assert without_each(torch.tensor([4, 7, 9])).tolist() == [[7, 9], [4, 9], [4, 7]]
    assert without_each(torch.tensor([4])).shape == (1, 0)
    monkeypatch.setattr("benchmarks.user_training.other_views.CELLS", 12)
    rows = [torch.zeros(length) for length in (1, 1, 2, 2, 4, 5)]
    assert [[len(row) for row in batch] for batch in batches(rows)] == [[1, 1, 2], [2], [4], [5]]
