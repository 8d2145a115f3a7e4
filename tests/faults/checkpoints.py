"""Damaged checkpoints of a training that was stopped."""

from __future__ import annotations

import io
from unittest.mock import patch

import torch
from hypothesis import strategies as st

from pipeline.users.checkpoint import read_checkpoint
from tests.faults.campaign import Draw
from tests.faults.damaged import damaged
from tests.faults.outcome import expect, expect_well_or_one_line
from tests.faults.world import World
from tests.stages.workspace import KEY, VARIANTS

FOREIGN = ([1], {}, {"epoch": 3}, "text", None)


def left_by_a_stopped_run(world: World) -> dict[str, tuple[str, bytes]]:
    """Of each variant the checkpoint of some epochs: its path and its content."""
    found = {}
    sandbox = world.sandbox("checkpoints")

    def say(dataset: str, name: str, text: str) -> None:
        if "epoch 4: loss" in text:
            raise KeyboardInterrupt

    for variant in VARIANTS:
        with sandbox.trial() as root:
            with patch("stages.shared.stage.say", say):
                assert sandbox.run(f"train_users.{variant}").code == 130
            (path,) = (root / ".checkpoints" / KEY / variant).glob("*.pt")
            found[variant] = str(path.relative_to(root)), path.read_bytes()
    return found


def read_damaged(world: World, draw: Draw) -> None:
    """By its reader alone, which takes a thousandth of a training's time."""
    _, content = world.once(left_by_a_stopped_run)[draw(st.sampled_from(VARIANTS))]
    path = world.scratch / "checkpoint.pt"
    path.write_bytes(damaged(draw, content))
    expect(read_checkpoint(path, "cpu") is None, "read as if nothing were wrong with it")
    expect(not path.exists(), "it is still there")


def damaged_checkpoint(world: World, draw: Draw) -> None:
    variant = draw(st.sampled_from(VARIANTS))
    name, content = world.once(left_by_a_stopped_run)[variant]
    sandbox = world.sandbox("checkpoints")
    with sandbox.trial() as root:
        path = root / name
        path.parent.mkdir(parents=True)
        if draw(st.integers(0, 4)):
            path.write_bytes(damaged(draw, content))
        else:
            other = io.BytesIO()
            torch.save(draw(st.sampled_from(FOREIGN)), other)
            path.write_bytes(other.getvalue())
        result = sandbox.run(f"train_users.{variant}")
        expect(expect_well_or_one_line(result), f"it does not train: {result.err}")
        expect(f"{name}: found it damaged and removed it" in result.err, f"not a word of it: {result.err}")
        sandbox.expect_files(world.files)
