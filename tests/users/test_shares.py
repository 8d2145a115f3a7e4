"""Several processes that train together: their shares of a step add up to the step of a single one."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.common import optimisers
from pipeline.common.processes import Alone, Processes, add_up_slopes, share_of
from pipeline.data.dataset import Dataset
from pipeline.users.modalities.inputs import ItemInputs
from pipeline.users.negatives import have_negatives, sample_negatives
from pipeline.users.training import UserTrainer
from tests.users.test_step_loss import FORMS
from tests.users.training_world import KNOWING, PLUS, USERS, config

FORMS_OF_STEPS: dict[str, dict[str, Any]] = FORMS | {
    "left out": KNOWING,
    "sampled": PLUS | {"catalogue_sample": 10},
    "by rows": PLUS | {"catalogue_sample": 10},
    "hidden": PLUS | {"modality_dropout": 0.3},
    **{kind: {"negatives": kind} for kind in ("disliked", "unseen", "mixed")},
}


class Share(Alone):
    """What one of some processes would be, without the others."""

    def __init__(self, place: int, number: int, add_up: Callable[[torch.Tensor], None] | None = None) -> None:
        self.place, self.number = place, number
        if add_up is not None:
            self.add_up = add_up  # type: ignore[method-assign]


def step_of(
    inputs: ItemInputs, data: Dataset, changes: dict[str, Any], users: list[int], processes: Processes
) -> tuple[float, UserTrainer]:
    """The loss of a step with all its draws, dropout as well, and who has its gradients."""
    given = inputs if changes.get("finetune_gat") else dataclasses.replace(inputs, gat=None)
    trainer = UserTrainer(given, data, config(**changes), 7, processes=processes)
    torch.manual_seed(3)
    loss = trainer.loss(np.array(users), np.random.default_rng(0), torch.Generator().manual_seed(0))
    assert loss is not None
    torch.autograd.backward(loss)
    return float(loss.detach()), trainer


@pytest.mark.parametrize("form", FORMS_OF_STEPS)
@pytest.mark.parametrize("users", [range(USERS), range(4, 6)], ids=["many", "fewer than processes"])
def test_losses_and_gradients_of_shares_add_up_to_those_of_one_process(
    inputs: ItemInputs, data: Dataset, form: str, users: range, monkeypatch: pytest.MonkeyPatch
) -> None:
    if form == "by rows":
        monkeypatch.setattr(optimisers, "ROWS_MET_VALUES", 0)
    changes, number = FORMS_OF_STEPS[form], 3
    whole, alone = step_of(inputs, data, changes, list(users), Alone())
    shares = [step_of(inputs, data, changes, list(users), Share(place, number)) for place in range(number)]
    assert sum(loss for loss, _ in shares) == pytest.approx(whole, rel=1e-5)
    given: list[torch.Tensor] = []
    for place, (_, trainer) in enumerate(shares):
        add_up_slopes(trainer.parameters, Share(place, number, lambda numbers: given.append(numbers.clone())))
    total = torch.stack(given).sum(dim=0)
    last = shares[-1][1].parameters
    add_up_slopes(last, Share(number - 1, number, lambda numbers: _set(numbers, total)))
    for found, expected in zip(last, alone.parameters, strict=True):
        assert (found.grad is None) == (expected.grad is None)
        if found.grad is not None and expected.grad is not None:
            assert found.grad.is_sparse == expected.grad.is_sparse
            torch.testing.assert_close(found.grad.to_dense(), expected.grad.to_dense(), rtol=1e-4, atol=1e-6)
    assert any(one.grad is not None and one.grad.is_sparse for one in last) == (form == "by rows")


def _set(numbers: torch.Tensor, to: torch.Tensor) -> None:
    numbers.copy_(to)


@given(st.integers(0, 50), st.integers(1, 9))
def test_shares_follow_one_another_and_are_even(values: int, number: int) -> None:
    shares = [share_of(values, Share(place, number)) for place in range(number)]
    assert [value for first, last in shares for value in range(first, last)] == list(range(values))
    sizes = [last - first for first, last in shares]
    assert max(sizes) - min(sizes) <= 1


def test_slopes_become_the_sum_and_what_nobody_has_one_of_stays_without() -> None:
    parameters = [torch.nn.Parameter(torch.ones(shape)) for shape in ((2, 3), (4,), (1,), ())]
    mine = [torch.full((2, 3), 2.0), None, None, torch.tensor(5.0)]
    others = [torch.full((2, 3), 3.0), torch.arange(4.0), None, None]
    for parameter, slope in zip(parameters, mine, strict=True):
        parameter.grad = slope
    parts = [torch.zeros(4) if other is None and place == 1 else other for place, other in enumerate(others)]
    flat = torch.cat(
        [
            (torch.zeros(parameter.shape) if part is None else part).reshape(-1)
            for parameter, part in zip(parameters, parts, strict=True)
        ]
        + [torch.tensor([float(other is not None) for other in others])]
    )
    add_up_slopes(parameters, Share(0, 2, lambda numbers: _set(numbers, numbers + flat)))
    found = [parameter.grad for parameter in parameters]
    assert found[2] is None
    for slope, expected in zip(
        found, [torch.full((2, 3), 5.0), torch.arange(4.0), None, torch.tensor(5.0)], strict=True
    ):
        assert (slope is None) == (expected is None)
        if slope is not None and expected is not None:
            assert torch.equal(slope, expected)


opinions = st.lists(st.lists(st.sampled_from("+-."), min_size=4, max_size=4), min_size=1, max_size=4)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(opinions, st.sampled_from(["disliked", "unseen", "mixed"]), st.sampled_from([0.0, 0.5, 1.0]), st.integers(0, 4))
def test_a_share_draws_the_negatives_that_one_process_draws_and_knows_for_whom_there_are_any(
    rows: list[list[str]], kind: str, disliked_share: float, first: int
) -> None:
    liked, disliked = (torch.tensor([[cell == sign for cell in row] for row in rows]) for sign in "+-")
    user = torch.arange(len(rows)).repeat_interleave(2)
    asked = kind, 6, disliked_share
    whole = sample_negatives(*asked, liked, disliked, user, torch.Generator().manual_seed(1))
    first = min(first, len(rows))
    share = sample_negatives(
        *asked,
        liked[first:],
        disliked[first:],
        user[2 * first :] - first,
        torch.Generator().manual_seed(1),
        before=2 * first,
        of=len(user),
    )
    assert torch.equal(share.items, whole.items[2 * first :])
    assert torch.equal(share.counts, whole.counts[2 * first :])
    likes, dislikes = (matrix.sum(dim=1).numpy() for matrix in (liked, disliked))
    expected = whole.counts[::2].any(dim=1)
    assert have_negatives(*asked, likes, dislikes, 4).tolist() == expected.tolist()
