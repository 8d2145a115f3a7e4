"""What a GPU would meet, on a device that is pretended: nothing of a stage is left on the CPU, and the same comes out."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tests.gpu.pretended import DEVICE, pretended_device
from tests.gpu.works import FORMS, WORKS, sdne, trainer_on
from tests.users.training_world import ITEMS

torch.set_num_threads(1)  # on small tensors a second thread costs more than it does


@pytest.mark.parametrize("name", WORKS)
def test_a_stage_computes_on_another_device_what_it_does_on_the_cpu(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = WORKS[name]("cpu")
    with pretended_device(monkeypatch) as device:
        found = WORKS[name](DEVICE)
    assert not device.indexed
    assert list(found) == list(expected)
    for key, values in found.items():
        np.testing.assert_allclose(values, expected[key], rtol=1e-4, atol=1e-5, err_msg=key)


# What a variant looks at in each step: attention, whether a weight is near one; negatives that are drawn, who has any.
LOOKED_AT = ("users/views/leave_one_out.py", "users/negatives.py", "users/step_loss.py")


@pytest.mark.parametrize(
    "name", ["sampled negatives", "three heads", "candidate attention", "gated, aligned", "knowing, merged, sampled"]
)
def test_a_pass_of_training_waits_once_when_it_is_done(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pretended_device(monkeypatch) as device:
        trainer = trainer_on(DEVICE, **FORMS[name])
        trainer.train_an_epoch()
        device.waits.clear()
        trainer._pass_over_users()
    (line,) = (line for line in device.waits if not (name == "sampled negatives" and line.startswith(LOOKED_AT)))
    assert line.startswith("users/training.py")
    assert device.waits[line] == 1


def test_a_whole_training_ends_on_another_device(monkeypatch: pytest.MonkeyPatch) -> None:
    with pretended_device(monkeypatch):
        found = trainer_on(DEVICE, **FORMS["co-rating"]).run()
    assert all(np.isfinite(row["loss"]) for row in found.history)
    assert len(found.arrays["items"]) == ITEMS


def test_a_pass_of_sdne_waits_once(monkeypatch: pytest.MonkeyPatch) -> None:
    waits = []
    for epochs in (2, 5):
        with pretended_device(monkeypatch) as device:
            sdne(DEVICE, epochs=epochs)
        waits.append(device.waits.total())
    assert waits[1] - waits[0] == 3


# The tests' own instrument.
def test_what_is_left_on_the_cpu_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    with pretended_device(monkeypatch) as device:
        there = torch.ones(3, device=DEVICE)
        with pytest.raises(RuntimeError, match="both devices"):
            there + torch.ones(3)
        with pytest.raises(RuntimeError, match="numpy"):
            there.numpy()
        assert not device.waits
        assert float((there * torch.tensor(2.0)).sum()) == 6
        there[torch.tensor([True, False, True]).to(DEVICE)] = 0.0
        assert there.cpu().tolist() == [0.0, 1.0, 0.0]
        assert device.waits.total() == 3
