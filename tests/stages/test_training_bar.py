"""What takes long shows a bar in a terminal, and nowhere else."""

from __future__ import annotations

import io
from pathlib import Path

import polars as pl
import pytest

from pipeline.artifacts.users import MODEL, USERS_CURVE
from tests import in_process
from tests.stages.conftest import Finished
from tests.stages.workspace import EPOCHS, KEY

VARIANT = "recommended"


class Terminal(io.TextIOWrapper):
    def isatty(self) -> bool:
        return True


def terminal() -> io.TextIOWrapper:
    return Terminal(io.BytesIO(), encoding="utf-8", newline="", write_through=True)


def test_a_training_run_shows_epochs_loss_and_the_last_validation_figures(
    finished: Finished, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = finished.workspace.copy(tmp_path / "copy")
    monkeypatch.setattr(in_process, "_text", terminal)
    result = copy.run(f"train_users.{VARIANT}")
    assert result.code == 0, result.err
    last = pl.read_csv(USERS_CURVE.of(variant=VARIANT).at(KEY, copy.root), separator="\t").row(-1, named=True)
    shown = result.err.rpartition("\r")[2]
    assert shown.startswith(f"{VARIANT}: 100%")
    assert f" {EPOCHS}/{EPOCHS} " in shown
    expected = {name.split("_")[0]: value for name, value in last.items() if name != "epoch"}
    assert list(expected) == ["loss", "ctr", "impression", "ranking"]
    assert ", ".join(f"{name}={value:.4f}" for name, value in expected.items()) in shown
    # And no other bar, such as one of what validation scores.
    assert {part.partition(":")[0] for part in result.err.split("\r") if "%" in part} == {VARIANT}
    # What is printed beside it is what is printed without it, and so is what is written.
    lines = [line for line in result.out.splitlines() if "done in" not in line]
    before = finished.results[f"train_users.{VARIANT}"]
    assert lines == [line for line in before.out.splitlines() if "done in" not in line]
    assert copy.files() == finished.files
    assert MODEL.of(variant=VARIANT).at(KEY, copy.root).is_file()


@pytest.mark.parametrize("name", ["embed_text", "init_sdne", "train_gat", f"train_users.{VARIANT}"])
def test_there_is_no_bar_outside_of_a_terminal(finished: Finished, name: str) -> None:
    assert "\r" not in finished.results[name].err
