"""`crmman tune`: resumable, by validation alone, and written into params.yaml where it is better than the default."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from pipeline.artifacts.data import INTERACTIONS, ITEMS
from pipeline.common.config import read_yaml
from pipeline.evaluation.baselines.choice import choose
from pipeline.evaluation.baselines.registry import BaselineSettings
from pipeline.parameters.search import Range
from pipeline.users.settings import VariantConfig
from stages import evaluate_baselines, train_users
from stages.cli import main
from stages.cli import tune as tuning
from stages.shared.data import read_data
from stages.shared.stage import Settings
from stages.shared.training import TrainingBar
from tests.artifacts.forged import forget_versions
from tests.stages.conftest import Finished
from tests.stages.workspace import KEY, Result, Workspace, assert_a_mistake_in_one_line

SYSTEM = "recommended"
Tune = Callable[..., Result]


@pytest.fixture
def tune(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> Tune:
    """Call `crmman tune` in a workspace, with a small space of settings."""

    def space(config: VariantConfig) -> Any:
        ranges = {"learning_rate": Range(0.003, 0.03, log=True), "dropout": Range(0.0, 0.5)}
        return {name: one.with_value(getattr(config, name)) for name, one in ranges.items()}

    monkeypatch.setattr(tuning, "space_of_variant", space)

    def call(workspace: Workspace, *arguments: str) -> Result:
        monkeypatch.chdir(workspace.root)
        with pytest.raises(SystemExit) as end:
            main(["tune", *arguments])
        return Result(int(end.value.code or 0), *capsys.readouterr())

    return call


@pytest.fixture
def workspace(finished: Finished, tmp_path: Path) -> Workspace:
    """Its default learns next to nothing, so that a search finds something better."""
    copy = finished.workspace.copy(tmp_path / "copy")

    def slow(values: dict[str, Any]) -> None:
        values["variants"][SYSTEM]["learning_rate"] = 1e-6
        values["datasets"][KEY]["train_users"]["epochs"] = 3

    copy.change_params(slow)
    return copy


def values_of(out: str) -> list[str]:
    return re.findall(r"^trial \d+ of \d+: (.*)$", out, re.MULTILINE)


def test_a_search_that_was_killed_goes_on_as_one_that_was_not(
    workspace: Workspace, tune: Tune, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = workspace.copy(tmp_path / "other")
    whole = tune(other, "--dataset", KEY, "--trials", "4")
    assert whole.code == 0, whole.err
    assert len(values_of(whole.out)) == 4
    epochs: list[float] = []
    show_loss = TrainingBar.show_loss

    def stop(self: TrainingBar, loss: float) -> None:
        epochs.append(loss)
        if len(epochs) == 8:
            raise KeyboardInterrupt
        show_loss(self, loss)

    with monkeypatch.context() as patched:
        patched.setattr(TrainingBar, "show_loss", stop)
        killed = tune(workspace, "--dataset", KEY, "--trials", "4")
    assert killed.code not in (0, 2)
    assert values_of(killed.out) == values_of(whole.out)[:2]
    resumed = tune(workspace, "--dataset", KEY, "--trials", "4")
    assert "continuing after 2 trials of an earlier run" in resumed.out
    assert values_of(resumed.out) == values_of(whole.out)[2:]
    assert (workspace.root / "params.yaml").read_text() == (other.root / "params.yaml").read_text()
    plot = Path("plots") / KEY / "tune" / f"{SYSTEM}.svg"
    assert (workspace.root / plot).read_bytes() == (other.root / plot).read_bytes()


def test_trials_at_once_are_the_same_whoever_makes_them(workspace: Workspace, tune: Tune, tmp_path: Path) -> None:
    other = workspace.copy(tmp_path / "other")
    other.change_params(lambda values: values.update(engine="ray"))
    one_by_one, by_workers = (
        tune(one, "--dataset", KEY, "--trials", "4", "--at-once", "2") for one in (workspace, other)
    )
    assert (one_by_one.code, by_workers.code) == (0, 0), by_workers
    assert "on Ray, " in by_workers.out
    assert values_of(by_workers.out) == values_of(one_by_one.out)
    assert len(values_of(by_workers.out)) == 4
    # The third and the fourth were drawn without knowing what either reaches.
    assert len({value.partition(":")[2] for value in values_of(by_workers.out)}) == 4


def test_the_best_setting_is_written_for_this_system_alone_with_what_it_reached(
    workspace: Workspace, tune: Tune
) -> None:
    before = read_yaml(workspace.root / "params.yaml")
    result = tune(workspace, "--dataset", KEY, "--trials", "6")
    assert result.code == 0, result.err
    values = [float(value.split(":")[0]) for value in values_of(result.out)]
    text = (workspace.root / "params.yaml").read_text()
    after = read_yaml(workspace.root / "params.yaml")
    changes = after["datasets"][KEY]["train_users"].pop(SYSTEM)
    assert after == before
    assert set(changes) <= {"learning_rate", "dropout"}
    assert changes["learning_rate"] > 1e-6
    assert max(values) > values[0]
    assert f"# crmman tune, 6 trials: {max(values):.4f} on validation, {values[0]:.4f} by default" in text
    settings = Settings(train_users.STAGE, KEY)
    assert settings.variant(VariantConfig, SYSTEM).learning_rate == changes["learning_rate"]
    assert settings.variant(VariantConfig, "crmman").learning_rate == before["variants"]["crmman"]["learning_rate"]
    assert workspace.run("validate").code == 0
    # The same search again has nothing to do.
    result = tune(workspace, "--dataset", KEY, "--trials", "6")
    assert "params.yaml has it already: nothing is written" in result.out
    assert (workspace.root / "params.yaml").read_text() == text


def test_where_the_default_is_the_best_nothing_is_written(
    workspace: Workspace, tune: Tune, monkeypatch: pytest.MonkeyPatch
) -> None:
    def value(
        self: object, number: int, setting: Any, ready: Any, report: Callable[[int, float], None], folder: Path
    ) -> float:
        # From the seventh on below the median of those before, in an epoch that all of them get.
        for epoch in (4, 8, 12):
            report(epoch, 1.0 if number < 7 else 0.5)
        return 1.0 - number / 100

    monkeypatch.setattr(tuning.Variant, "value", value)
    before = (workspace.root / "params.yaml").read_text()
    result = tune(workspace, "--dataset", KEY, "--trials", "9")
    assert result.code == 0, result.err
    assert "the default is the best, with 1.0000: nothing is written" in result.out
    assert [one.split(":")[0] for one in values_of(result.out)][6:] == [
        "0.9400",
        "given up, at 0.5000 after 8 epochs",
        "given up, at 0.5000 after 8 epochs",
    ]
    assert (workspace.root / "params.yaml").read_text() == before


def test_the_test_split_is_not_touched(workspace: Workspace, tune: Tune, tmp_path: Path) -> None:
    other = workspace.copy(tmp_path / "other")
    rows = INTERACTIONS.read(KEY, other.root)
    flipped = rows.with_columns(like=pl.when(split="test").then(~pl.col("like")).otherwise(pl.col("like")))
    assert not flipped.equals(rows)
    INTERACTIONS.write(flipped, KEY, other.root)
    forget_versions(other.root)
    found = [values_of(tune(one, "--dataset", KEY, "--trials", "2").out) for one in (workspace, other)]
    assert found[0] == found[1]
    assert len(found[0]) == 2


def test_a_baseline_is_searched_around_its_grid(workspace: Workspace, tune: Tune) -> None:
    result = tune(workspace, "--dataset", KEY, "--system", "als", "--trials", "6")
    assert result.code == 0, result.err
    values = [float(value.split(":")[0]) for value in values_of(result.out)]
    settings = Settings(evaluate_baselines.STAGE, KEY).stage(BaselineSettings)
    written = read_yaml(workspace.root / "params.yaml")["datasets"][KEY]["baselines"]
    assert (max(values) > values[0]) == bool(written)
    _, tried = choose(read_data(KEY), "als", settings.grid("als"), settings.chosen_by, 42)
    assert max(one.validation for one in tried) == pytest.approx(max(values), abs=5e-5)


def test_mistakes_are_one_line(
    finished: Finished, fresh: Workspace, tune: Tune, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = finished.workspace
    copy = fresh.copy(tmp_path / "fresh")
    for system, stage in ((SYSTEM, "train_users"), ("als", "evaluate_baselines")):
        result = tune(copy, "--dataset", KEY, "--system", system)
        assert_a_mistake_in_one_line(result, f"{ITEMS.at(KEY)}: artifact not found; `dvc repro {stage}@{KEY}-{system}`")
    for arguments, message in (
        (["--dataset", "smal"], "params.yaml: datasets.smal: key not found"),
        (["--dataset", KEY, "--trials", "0"], "--trials"),
        (["--dataset", KEY, "--system", "al"], "--system: found 'al', expected one of: "),
        (["--dataset", KEY, "--system", "popularity"], "--system: found popularity, which has no settings"),
    ):
        assert_a_mistake_in_one_line(tune(there, *arguments), message)
    monkeypatch.setitem(sys.modules, "optuna", None)
    assert_a_mistake_in_one_line(tune(there, "--dataset", KEY), "tune: found no Optuna, expected it; run `pip install")
    assert there.files() == finished.files
