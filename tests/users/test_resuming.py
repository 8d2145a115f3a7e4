"""Runs that are stopped go on to the same bytes; checkpoints that are damaged, removed or cannot be written."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from pipeline.common.files import replacing
from pipeline.data.dataset import Dataset
from pipeline.users.checkpoint import read_checkpoint
from pipeline.users.modalities.inputs import ItemInputs
from pipeline.users.training import Trained
from stages.shared.training import forget
from tests.common.test_files import files_of_at_most
from tests.users.training_world import (
    CO_RATING,
    CODEBOOK,
    KNOWING,
    PLUS,
    QUEUE,
    REFITTED,
    THREE_HEADS,
    StoppedError,
    everything_in_training,
    same,
    train,
    trainer_of,
)


def stop_at(epoch: int) -> Any:
    def stop(row: dict[str, float]) -> None:
        if row["epoch"] == epoch:
            raise StoppedError

    return stop


@pytest.mark.parametrize(
    "changes",
    [{}, {"negatives": "mixed"}, {"finetune_gat": True}, PLUS, CO_RATING, KNOWING],
    ids=["method", "mixed", "finetuned", "plus", "co-rating", "knowing"],
)
def test_one_seed_gives_the_same_bytes_and_another_does_not(
    inputs: ItemInputs, data: Dataset, changes: dict[str, Any]
) -> None:
    short = changes | {"epochs": 2}
    first = train(inputs, data, **short)
    assert same(first, train(inputs, data, **short))
    assert not same(first, train(inputs, data, seed=8, **short))


@pytest.mark.parametrize(
    ("changes", "stopped_after"),
    [
        ({"negatives": "mixed"}, 1),
        ({"negatives": "mixed"}, 3),
        ({"finetune_gat": True}, 2),
        (CO_RATING, 2),
        (THREE_HEADS | {"learn_exponent": True}, 1),
        (KNOWING, 2),
        (QUEUE | {"modality_dropout": 0.3}, 2),
        (CODEBOOK, 2),
    ],
    ids=["first", "third", "finetuned", "co-rating", "three-heads", "knowing", "queue", "codebook"],
)
def test_a_run_that_was_stopped_goes_on_to_the_same_bytes(
    inputs: ItemInputs, data: Dataset, tmp_path: Path, changes: dict[str, Any], stopped_after: int
) -> None:
    whole = train(inputs, data, **changes)
    checkpoint = tmp_path / "state.pt"
    with pytest.raises(StoppedError):
        trainer_of(inputs, data, **changes).run(checkpoint, stop_at(stopped_after + 1))
    assert checkpoint.is_file()
    epochs: list[float] = []
    resumed = trainer_of(inputs, data, **changes).run(checkpoint, lambda row: epochs.append(row["epoch"]))
    assert epochs == [1, 2, 3, 4]
    assert same(whole, resumed)
    assert whole.history == resumed.history


@REFITTED
def test_a_refit_that_was_stopped_goes_on_to_the_same_bytes(
    inputs: ItemInputs, changes: dict[str, Any], tmp_path: Path
) -> None:
    inputs, everything = everything_in_training(inputs)
    whole = trainer_of(inputs, everything, **changes).refit(3)
    stopped, checkpoint = trainer_of(inputs, everything, **changes), tmp_path / "state.pt"

    def stop(loss: float) -> None:
        if stopped.epoch == 2:
            raise StoppedError

    with pytest.raises(StoppedError):
        stopped.refit(3, checkpoint, stop)
    losses: list[float] = []
    assert same(whole, trainer_of(inputs, everything, **changes).refit(3, checkpoint, losses.append))
    assert len(losses) == 2


@pytest.mark.parametrize("epochs_done", [1, 2, 3, 4])
def test_a_run_stopped_between_two_looks_at_validation_goes_on_to_the_same_bytes(
    inputs: ItemInputs, data: Dataset, tmp_path: Path, epochs_done: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    changes = PLUS | {"epochs": 5, "validate_every": 2}
    whole = train(inputs, data, **changes)
    # The last epoch is looked at whatever its number.
    assert [row["epoch"] for row in whole.history] == [2, 4, 5]
    checkpoint = tmp_path / "state.pt"
    stopped = trainer_of(inputs, data, **changes)
    original = stopped.train_an_epoch

    def stop() -> None:
        if stopped.epoch == epochs_done:
            raise StoppedError
        original()

    monkeypatch.setattr(stopped, "train_an_epoch", stop)
    with pytest.raises(StoppedError):
        stopped.run(checkpoint)
    resumed = train(inputs, data, checkpoint=checkpoint, **changes)
    assert same(whole, resumed)
    assert whole.history == resumed.history


def test_a_damaged_checkpoint_is_not_taken_up(inputs: ItemInputs, data: Dataset, tmp_path: Path) -> None:
    checkpoint = tmp_path / "state.pt"
    whole = train(inputs, data)
    with pytest.raises(StoppedError):
        trainer_of(inputs, data).run(checkpoint, stop_at(3))
    kept = checkpoint.read_bytes()
    random = np.random.default_rng(0)
    flips = [bytearray(kept) for _ in range(10)]
    for flipped in flips:
        flipped[random.integers(len(kept))] ^= 1 << random.integers(8)
    other = io.BytesIO()
    torch.save([1], other)
    blank = kept[: len(kept) // 2] + bytes(min(512, len(kept) // 4))
    for content in (b"", b"PK damaged", kept[:-1], blank + kept[len(blank) :], other.getvalue(), kept[32:], *flips):
        checkpoint.write_bytes(content)
        warnings: list[str] = []
        seen: list[float] = []

        def look(row: dict[str, float], seen: list[float] = seen) -> None:
            # Removed before the first epoch, and written again after it.
            if not seen:
                assert not checkpoint.exists()
            seen.append(row["epoch"])

        assert same(trainer_of(inputs, data).run(checkpoint, look, warn=warnings.append), whole)
        assert warnings == [f"{checkpoint}: found it damaged and removed it; training starts again"]
        assert seen == [1, 2, 3, 4]
    checkpoint.write_bytes(kept)
    warnings = []
    assert same(trainer_of(inputs, data).run(checkpoint, warn=warnings.append), whole)
    assert warnings == []


def test_a_checkpoint_that_another_run_removes_is_done_without(
    inputs: ItemInputs, data: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoint = tmp_path / "state.pt"
    with pytest.raises(StoppedError):
        trainer_of(inputs, data).run(checkpoint, stop_at(3))

    def read(path: Path, device: torch.device | str) -> dict[str, Any] | None:
        path.unlink()
        return read_checkpoint(path, device)

    monkeypatch.setattr("pipeline.users.training.read_checkpoint", read)
    assert same(trainer_of(inputs, data).run(checkpoint), train(inputs, data))


def test_a_checkpoint_that_cannot_be_written_is_a_warning(inputs: ItemInputs, data: Dataset, tmp_path: Path) -> None:
    warnings: list[str] = []
    with files_of_at_most(1000):
        trained = trainer_of(inputs, data).run(tmp_path / "state.pt", warn=warnings.append)
    assert same(trained, train(inputs, data))
    (line,) = warnings
    assert line.startswith(f"{tmp_path / 'state.pt'}: cannot be written: File too large; ")
    assert list(tmp_path.iterdir()) == []


def test_two_trainings_of_one_variant_at_once_both_end_well(inputs: ItemInputs, data: Dataset, tmp_path: Path) -> None:
    checkpoint = tmp_path / "state.pt"
    whole = train(inputs, data)
    others: list[Trained] = []

    def meanwhile(row: dict[str, float]) -> None:
        # It takes up what the first has left, ends before it, and clears up, while the first may be about to write.
        if row["epoch"] == 2:
            with replacing(checkpoint) as file:
                others.append(train(inputs, data, checkpoint=checkpoint))
                forget(checkpoint)
                file.write(b"whatever a third one writes")

    assert same(trainer_of(inputs, data).run(checkpoint, meanwhile), whole)
    assert same(others[0], whole)


def test_a_run_stopped_after_its_best_epoch_keeps_that_epoch(inputs: ItemInputs, data: Dataset, tmp_path: Path) -> None:
    wrecking = {"learning_rate": 0.3, "epochs": 30, "patience": 3}
    whole = train(inputs, data, **wrecking)
    checkpoint = tmp_path / "state.pt"
    with pytest.raises(StoppedError):
        trainer_of(inputs, data, **wrecking).run(checkpoint, stop_at(whole.best_epoch + 2))
    resumed = train(inputs, data, checkpoint=checkpoint, **wrecking)
    assert resumed.best_epoch == whole.best_epoch
    assert resumed.history == whole.history
    assert same(whole, resumed)


def test_a_run_that_had_ended_is_not_trained_further(inputs: ItemInputs, data: Dataset, tmp_path: Path) -> None:
    ended = train(inputs, data, checkpoint=tmp_path / "state.pt")
    again = train(inputs, data, checkpoint=tmp_path / "state.pt")
    assert again.history == ended.history
    assert same(ended, again)
