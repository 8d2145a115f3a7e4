from __future__ import annotations

from pathlib import Path

from pipeline import artifacts
from pipeline.run_settings import RunConfig
from pipeline.training import TrainingConfig
from stages.stage import Settings
from stages.train_users import INPUTS, READS, checkpoint_key
from tests.stages.conftest import Finished
from tests.stages.workspace import KEY, Workspace

OUTPUTS = (artifacts.MODEL, artifacts.USERS_CURVE, artifacts.USERS_CURVE_PLOT)


def checkpoints(workspace: Workspace) -> list[Path]:
    return list((workspace.root / ".checkpoints").rglob("*.pt"))


def killed_in_training(workspace: Workspace) -> None:
    """Start train_users and kill it (SIGKILL) as soon as it has left a checkpoint of its first epoch."""
    process = workspace.start("train_users", "--dataset", KEY)
    assert process.stdout is not None
    # The checkpoint of an epoch is kept before the next epoch is printed.
    for line in process.stdout:
        if "epoch 2: loss" in line:
            break
    process.kill()
    process.communicate()
    assert process.returncode == -9


def test_a_killed_training_goes_on_and_ends_with_the_bytes_of_one_that_was_not(finished: Finished, tmp_path) -> None:
    copy = finished.workspace.copy(tmp_path / "copy")
    for artifact in OUTPUTS:
        artifact.at(KEY, copy.root).unlink()
    killed_in_training(copy)
    assert len(checkpoints(copy)) == 1
    assert not any(artifact.at(KEY, copy.root).exists() for artifact in OUTPUTS)

    resumed = copy.run("train_users")

    assert resumed.code == 0, resumed.err
    assert "going on from the last epoch of a run that was stopped" in resumed.out
    assert "going on" not in finished.results["train_users"].out
    assert checkpoints(copy) == []
    assert copy.files() == finished.files


def test_a_checkpoint_is_met_only_by_the_same_settings_and_inputs(finished: Finished, tmp_path, monkeypatch) -> None:
    copy = finished.workspace.copy(tmp_path / "copy")
    monkeypatch.chdir(copy.root)
    settings = Settings("train_users", KEY, READS)
    run, config = settings.run(RunConfig), settings.profile(TrainingConfig)
    key = checkpoint_key(KEY, run, config)
    assert checkpoint_key(KEY, run, config) == key
    others = {
        "seed": checkpoint_key(KEY, run.model_copy(update={"seed": run.seed + 1}), config),
        "settings": checkpoint_key(KEY, run, config.model_copy(update={"epochs": config.epochs + 1})),
    }
    for artifact in INPUTS:
        path = artifact.at(KEY)
        content = path.read_bytes()
        path.write_bytes(content + b" ")
        others[artifact.path] = checkpoint_key(KEY, run, config)
        path.write_bytes(content)
    assert len({key, *others.values()}) == 1 + len(others)
    assert checkpoint_key(KEY, run, config) == key
