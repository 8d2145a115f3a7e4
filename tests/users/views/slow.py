"""The equations of all views, with loops over heads, rows and columns, and sets of items as histories."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
import torch

from pipeline.users.histories import Histories
from pipeline.users.views.candidate_attention import CandidateAttention
from pipeline.users.views.plain_sum import PlainSum
from pipeline.users.views.self_attention import SelfAttention
from pipeline.users.views.view import View

Vector = list[float]


def ragged(sets: Sequence[Sequence[int]]) -> Histories:
    items = [item for one in sets for item in one]
    user = [position for position, one in enumerate(sets) for _ in one]
    return Histories(
        torch.tensor(items, dtype=torch.int64),
        torch.tensor(user, dtype=torch.int64),
        np.array([len(one) for one in sets], dtype=np.int64),
    )


def scrambled(view: View, seed: int = 3) -> View:
    """Far from where it starts: with identities a wrong order of V and W^O would not show."""
    torch.manual_seed(seed)
    view = view.double()
    for name, parameter in view.named_parameters():
        if name != "exponent":
            torch.nn.init.normal_(parameter, std=0.8)
    return view


def vectors(count: int, width: int, seed: int = 5) -> torch.Tensor:
    return torch.randn(count, width, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def softmax(logits: Sequence[float]) -> Vector:
    exponentials = [math.exp(logit - max(logits)) for logit in logits]
    return [each / sum(exponentials) for each in exponentials]


def dot(one: Sequence[float], other: Sequence[float]) -> float:
    return sum(a * b for a, b in zip(one, other, strict=True))


def slow_mean(view: View, rows: torch.Tensor, candidate: torch.Tensor) -> Vector:
    """What the view takes the mean to be: of W^V r_j, of attention's outputs, or as the candidate weighs the history."""
    value = (rows @ view.value.detach()).tolist()
    count, width = len(value), len(value[0])
    if isinstance(view, PlainSum):
        return [sum(row[column] for row in value) / count for column in range(width)]
    assert isinstance(view, SelfAttention | CandidateAttention)
    asking = rows if isinstance(view, SelfAttention) else candidate.unsqueeze(0)
    query, key = (asking @ view.query.detach()).tolist(), (rows @ view.key.detach()).tolist()
    per_head = width // view.heads
    result = [0.0] * width
    for head in range(view.heads):
        part = range(head * per_head, (head + 1) * per_head)
        for row in query:
            logits = [sum(row[k] * other[k] for k in part) / math.sqrt(per_head) for other in key]
            for weight, other in zip(softmax(logits), value, strict=True):
                for column in part:
                    result[column] += weight * other[column] / len(query)
    return result


def slow_user(view: View, rows: torch.Tensor, candidate: torch.Tensor, output: str) -> Vector:
    """A user by one history, u = n^gamma · mean W^O; zero for an empty one."""
    if not len(rows):
        return [0.0] * rows.shape[1]
    mean = slow_mean(view, rows.detach(), candidate.detach())
    counted = len(rows) ** float(view.exponent.detach())
    columns = view.output[output].detach().T.tolist()
    return [counted * dot(mean, column) for column in columns]


def slow_score(
    view: View, candidates: torch.Tensor, in_history: torch.Tensor, chosen: Sequence[int], candidate: int, output: str
) -> float:
    """r_c . u"""
    user = slow_user(view, in_history[list(chosen)], candidates[candidate], output)
    return dot(candidates[candidate].tolist(), user)


def without(chosen: Sequence[int], item: int) -> list[int]:
    return [other for other in chosen if other != item]


def assert_scores_are_the_slow_ones(
    view: View, candidates: torch.Tensor, in_history: torch.Tensor, sets: Sequence[Sequence[int]], leave_one_out: bool
) -> None:
    found = view.scores(candidates, in_history, ragged(sets), leave_one_out=leave_one_out)
    assert found.keys() == view.output.keys()
    for output, scores in found.items():
        assert scores.shape == (len(sets), len(candidates))
        for user, chosen in enumerate(sets):
            expected = [
                slow_score(view, candidates, in_history, without(chosen, c) if leave_one_out else chosen, c, output)
                for c in range(len(candidates))
            ]
            assert scores[user].tolist() == pytest.approx(expected, abs=1e-7)


def assert_shares_make_the_users(
    view: PlainSum | SelfAttention, items: torch.Tensor, sets: Sequence[Sequence[int]]
) -> None:
    """By `shares` the values of a history's items add up to the user before W^O."""
    history = ragged(sets)
    shares = view.shares(history) if isinstance(view, PlainSum) else view.shares(view.project(items), history)
    shares = shares.detach().to(items.dtype)
    shape = (len(shares), shares.shape[1], items.shape[1] // shares.shape[1])
    values = (items @ view.value.detach())[history.items].view(shape)
    assert torch.isfinite(shares).all()
    entries = (values * shares.unsqueeze(2)).flatten(1)
    for user, chosen in enumerate(sets):
        for output, matrix in view.output.items():
            found = entries[history.user == user].sum(dim=0) @ matrix.detach()
            assert found.tolist() == pytest.approx(slow_user(view, items[list(chosen)], items[0], output), abs=1e-8)


def assert_gradients_are_those_of_the_function(view: View, sets: Sequence[Sequence[int]], items: int) -> None:
    """By items in both roles and all of the view's parameters."""
    width = view.value.shape[0]
    given = [vectors(items, width, seed).requires_grad_() for seed in (1, 2)]
    history = ragged(sets)
    parameters = [parameter.requires_grad_() for parameter in view.parameters()]

    def scores(*inputs: torch.Tensor) -> tuple[torch.Tensor, ...]:
        whole = view.scores(inputs[0], inputs[1], history)
        left_out = view.scores(inputs[0], inputs[1], history, leave_one_out=True)
        return (*whole.values(), *left_out.values())

    assert torch.autograd.gradcheck(scores, (*given, *parameters))


def assert_gradients_are_finite(view: View, sets: Sequence[Sequence[int]], items: int) -> None:
    width = view.value.shape[0]
    candidates, in_history = (vectors(items, width, seed).to(view.value.dtype).requires_grad_() for seed in (1, 2))
    found = [
        scores
        for leave_one_out in (False, True)
        for scores in view.scores(candidates, in_history, ragged(sets), leave_one_out=leave_one_out).values()
    ]
    assert all(torch.isfinite(scores).all() for scores in found)
    torch.stack([scores.square().sum() for scores in found]).sum().backward()
    for tensor in (candidates, in_history, *(each for each in view.parameters() if each.requires_grad)):
        # Without any history nothing may depend on queries and keys.
        assert tensor.grad is None or torch.isfinite(tensor.grad).all()
