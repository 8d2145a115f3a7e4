"""Our Adam against PyTorch's optimisers, byte by byte."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
import torch

from pipeline.structure.adam import Adam

SHAPES = ((7, 3), (5,), (2, 2))


def parameters() -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(shape, generator=generator).requires_grad_() for shape in SHAPES]


def give_gradients(of: list[torch.Tensor], step: int) -> None:
    """The last parameter has none in every other step, nor in the first one."""
    generator = torch.Generator().manual_seed(step)
    for number, parameter in enumerate(of):
        gradient = torch.randn(parameter.shape, generator=generator)
        parameter.grad = None if number == 2 and step % 2 == 0 else gradient


def run(optimiser: Any, of: list[torch.Tensor], steps: range) -> list[bytes]:
    met = []
    for step in steps:
        optimiser.zero_grad()
        assert all(parameter.grad is None for parameter in of)
        give_gradients(of, step)
        for group in optimiser.param_groups:
            group["lr"] = 0.01 * (step + 1)
        optimiser.step()
        met.append(b"".join(parameter.detach().numpy().tobytes() for parameter in of))
    return met


@pytest.mark.parametrize("decoupled", [False, True])
@pytest.mark.parametrize("fused", [None, True])
@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_it_is_pytorchs(decoupled: bool, fused: bool | None, decay: float) -> None:
    ours, theirs = parameters(), parameters()
    kind = torch.optim.AdamW if decoupled else torch.optim.Adam
    expected = kind(theirs, lr=1.0, betas=(0.8, 0.95), eps=1e-6, weight_decay=decay, fused=fused)
    found = Adam(ours, 1.0, betas=(0.8, 0.95), epsilon=1e-6, weight_decay=decay, decoupled=decoupled, fused=fused)
    assert run(found, ours, range(6)) == run(expected, theirs, range(6))


def test_what_is_not_given_is_as_in_pytorch() -> None:
    ours, theirs = parameters(), parameters()
    assert run(Adam(ours, 0.1), ours, range(3)) == run(torch.optim.Adam(theirs, lr=0.1), theirs, range(3))


def test_groups_have_settings_of_their_own() -> None:
    ours, theirs = parameters(), parameters()
    groups: list[list[dict[str, Any]]] = [
        [{"params": own[:1], "weight_decay": 0.2}, {"params": own[1:]}] for own in (ours, theirs)
    ]
    expected = torch.optim.Adam(groups[1], lr=0.1, fused=True)
    assert run(Adam(groups[0], 0.1, fused=True), ours, range(4)) == run(expected, theirs, range(4))


@pytest.mark.parametrize("fused", [None, True])
def test_a_stopped_run_goes_on(fused: bool | None, tmp_path: Any) -> None:
    whole = parameters()
    expected = run(Adam(whole, 0.1, weight_decay=0.1, decoupled=True, fused=fused), whole, range(6))
    first = parameters()
    # After one step the last parameter has no state yet.
    stopped = Adam(first, 0.1, weight_decay=0.1, decoupled=True, fused=fused)
    run(stopped, first, range(1))
    torch.save(stopped.state_dict(), tmp_path / "state")
    run(stopped, first, range(1, 3))  # what comes after it was saved does not touch what was saved
    second = parameters()
    resumed = Adam(second, 5.0, decoupled=True, fused=fused)
    resumed.load_state_dict(torch.load(tmp_path / "state"))
    assert resumed.param_groups[0]["weight_decay"] == 0.1
    own = parameters()
    run(Adam(own, 0.1, weight_decay=0.1, decoupled=True, fused=fused), own, range(1))
    for parameter, value in zip(second, own, strict=True):
        parameter.detach().copy_(value.detach())
    assert run(resumed, second, range(1, 6)) == expected[1:]


def test_a_state_that_is_loaded_twice_is_not_shared() -> None:
    of = parameters()
    optimiser = Adam(of, 0.1)
    run(optimiser, of, range(2))
    state = optimiser.state_dict()
    found = []
    for _ in range(2):
        own = parameters()
        resumed = Adam(own, 0.1)
        resumed.load_state_dict(state)
        found.append(run(resumed, own, range(2, 4)))
    assert found[0] == found[1]


def test_pytorchs_compiler_is_not_loaded() -> None:
    program = """
import sys, torch
from pipeline.structure.adam import Adam
weight = torch.ones(3, requires_grad=True)
optimiser = Adam([weight], 0.1, fused=True)
weight.sum().backward()
optimiser.step()
optimiser.zero_grad()
print("torch._dynamo" in sys.modules, float(weight.detach()[0]) < 1)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "True"]
