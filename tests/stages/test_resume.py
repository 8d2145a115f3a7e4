from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.artifacts.graph import GRAPH_CAUTIONS
from pipeline.artifacts.users import MODEL, USERS_CURVE
from pipeline.common.config import read_yaml
from pipeline.common.settings import TrainingRun
from pipeline.users.settings import VariantConfig
from stages.shared.stage import Settings
from stages.shared.training import checkpoint_key
from stages.train_users import STAGE
from tests.stages.conftest import Finished
from tests.stages.workspace import ABLATION, KEY, ROOT, STRUCTURE, VARIANTS, Workspace

OUTPUTS = (MODEL, USERS_CURVE)


def checkpoints(workspace: Workspace) -> list[Path]:
    return list((workspace.root / ".checkpoints").rglob("*.pt"))


# The checkpoint of an epoch is kept before the next epoch is printed.
LATER = "epoch 2: loss"


def killed_in_training(workspace: Workspace, variant: str, _: pytest.MonkeyPatch) -> None:
    """Start train_users and kill it (SIGKILL) as soon as it has left a checkpoint of its first epoch."""
    process = workspace.start("train_users", "--dataset", KEY, "--variant", variant)
    assert process.stdout is not None
    for line in process.stdout:
        if LATER in line:
            break
    process.kill()
    process.communicate()
    assert process.returncode == -9


def stopped_in_training(workspace: Workspace, variant: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same by the keyboard, in this process, which takes less time."""

    def say(dataset: str, name: str, text: str) -> None:
        if LATER in text:
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("stages.shared.stage.say", say)
        assert workspace.call("train_users", "--dataset", KEY, "--variant", variant).code not in (0, 2)


@pytest.mark.parametrize(
    ("variant", "end"), [("recommended", killed_in_training), ("crmman", stopped_in_training)], ids=VARIANTS
)
def test_a_training_that_was_ended_goes_on_and_ends_with_the_bytes_of_one_that_was_not(
    finished: Finished,
    variant: str,
    end: Callable[[Workspace, str, pytest.MonkeyPatch], None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    copy = finished.workspace.copy(tmp_path / "copy")
    outputs = [artifact.of(variant=variant).at(KEY, copy.root) for artifact in OUTPUTS]
    for path in outputs:
        path.unlink()
    end(copy, variant, monkeypatch)
    assert len(checkpoints(copy)) == 1
    assert not any(path.exists() for path in outputs)

    resumed = copy.run(f"train_users.{variant}")

    assert resumed.code == 0, resumed.err
    assert f"{variant}: continuing from the last epoch of a run that was stopped" in resumed.out
    assert "continuing" not in finished.results[f"train_users.{variant}"].out
    assert checkpoints(copy) == []
    assert copy.files() == finished.files


def test_a_finished_training_clears_what_runs_of_its_variant_left_and_of_no_other(
    finished: Finished, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = finished.workspace.copy(tmp_path / "copy")
    copy.change_params(lambda values: values["variants"].update({"crmman-two": values["variants"]["recommended"]}))
    stopped_in_training(copy, "crmman-two", monkeypatch)
    (kept,) = checkpoints(copy)
    # Of a run with other settings, and of one that was killed while it wrote; crmman is how crmman-two begins.
    left = [kept.parent.parent / "crmman" / name for name in ("0123456789abcdef.pt", "0123456789abcdef.tmp")]
    for path in left:
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"left")
    assert copy.run("train_users.crmman").code == 0
    assert not any(path.exists() for path in left)
    assert checkpoints(copy) == [kept]


def settings_of(variant: str) -> tuple[TrainingRun, VariantConfig]:
    settings = Settings(STAGE, KEY)
    return settings.run(TrainingRun), settings.variant(VariantConfig, variant)


@pytest.mark.parametrize("variant", [*VARIANTS, ABLATION])
def test_a_checkpoint_is_met_only_by_the_same_settings_and_inputs(
    finished: Finished, tmp_path, monkeypatch, variant: str
) -> None:
    copy = finished.workspace.copy(tmp_path / "copy")
    monkeypatch.chdir(copy.root)
    run, config = settings_of(variant)
    key = checkpoint_key(KEY, run, config)
    assert checkpoint_key(KEY, run, config) == key
    others = {
        "seed": checkpoint_key(KEY, run.model_copy(update={"seed": run.seed + 1}), config),
        "settings": checkpoint_key(KEY, run, config.model_copy(update={"epochs": config.epochs + 1})),
    }
    deps = read_yaml(ROOT / "dvc.yaml")["stages"]["train_users"]["deps"]
    listed = [Path(name.replace("${item.dataset}", KEY)) for name in deps if name.startswith("artifacts/")]
    inputs = [str(inner) for path in listed for inner in (path.iterdir() if path.is_dir() else [path])]
    assert len(inputs) == 15
    # It tells whether the others go together, and nothing of the model.
    inputs.remove(str(GRAPH_CAUTIONS.at(KEY, Path())))
    if config.structure_source:
        own, other = "graph/edges", f"structures/{STRUCTURE}/edges"
        inputs = [name.replace("/structure/", f"/structures/{STRUCTURE}/").replace(own, other) for name in inputs]
    for name in inputs:
        path = Path(name)
        content = path.read_bytes()
        path.write_bytes(content + b" ")
        others[name] = checkpoint_key(KEY, run, config)
        path.write_bytes(content)
    assert len({key, *others.values()}) == 1 + len(others)
    assert checkpoint_key(KEY, run, config) == key
