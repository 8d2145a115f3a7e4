"""The stage `refit`: a variant trained once more on all ratings recommends and answers, and is never evaluated."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from pipeline.artifacts.data import INTERACTIONS
from pipeline.artifacts.graph import RELATIONS
from pipeline.artifacts.recommend import RECOMMENDATIONS
from pipeline.artifacts.users import MODEL, REFIT
from pipeline.users.fit_co_rating import fit_co_rating
from pipeline.users.knowledge import Surroundings
from stages import compare, evaluate, evaluate_baselines, report
from stages.cli import main
from tests.stages.conftest import Finished
from tests.stages.test_recommend import stored_scores
from tests.stages.workspace import (
    ITEMS,
    KEY,
    REFITTED,
    USERS,
    VARIANTS,
    Result,
    Workspace,
    assert_a_mistake_in_one_line,
    planted_tables,
)

OTHER = next(name for name in VARIANTS if name != REFITTED)
MINE, ITS = MODEL.of(variant=REFITTED), REFIT.of(variant=REFITTED)
# Item-to-item weights, terms and counts too: whatever is made of ratings.
EVERYTHING: dict[str, Any] = {
    "co_rating_l2": 20.0,
    "co_rating_graph": 3.0,
    "find_shares": False,
    "terms": ["overlap", "together", "popularity"],
    "count_biases": True,
}


def refitting(workspace: Workspace, root: Path) -> Workspace:
    copy = workspace.copy(root)
    copy.change_params(lambda values: values.update(refit={KEY: REFITTED}))
    return copy


def call(workspace: Workspace, monkeypatch: pytest.MonkeyPatch, capsys: Any, *arguments: str) -> Result:
    monkeypatch.chdir(workspace.root)
    with pytest.raises(SystemExit) as end:
        main(arguments)
    return Result(int(end.value.code or 0), *capsys.readouterr())


def test_a_refit_trains_as_validation_chose_on_every_rating(finished: Finished, tmp_path: Path) -> None:
    """What a model stores of the ratings themselves tells which it was trained on."""
    copy = finished.workspace.copy(tmp_path / "copy")
    copy.change_params(
        lambda values: values["datasets"][KEY]["train_users"].update(epochs=2, sparse_up_to=1000, **EVERYTHING)
    )
    for name in (f"train_users.{REFITTED}", f"refit.{REFITTED}"):
        result = copy.run(name)
        assert result.code == 0, result.err
    about, chosen = ITS.about(KEY, copy.root), MINE.about(KEY, copy.root)
    assert about == {name: chosen[name] for name in ("variant", "best_epoch")}
    interactions = INTERACTIONS.read(KEY, copy.root)
    trained = interactions.filter(split="train")
    assert f"{REFITTED}: trained on all {len(interactions)} ratings instead of {len(trained)}, " in result.out
    assert f"for {chosen['best_epoch']} of 2 epochs, as validation chose" in result.out
    fits: list[Any] = []
    for stored, rows in ((MINE, trained), (ITS, interactions)):
        arrays = stored.read(KEY, copy.root)
        rated = {}
        for view, like in (("likes", True), ("dislikes", False)):
            of_view = rows.filter(like=like)
            history = np.zeros((USERS, ITEMS), dtype=np.float32)
            history[of_view["user"], of_view["item"]] = 1
            assert arrays[f"known.{view}.ratings"].tolist() == history.sum(axis=0).tolist()
            rated[view] = csr_matrix(history)
        around = Surroundings.of(RELATIONS.read(KEY, copy.root), ITEMS).weights
        assert around.nnz
        expected = fit_co_rating(rated, EVERYTHING["co_rating_l2"], around, EVERYTHING["co_rating_graph"])["co_rating"]
        np.testing.assert_allclose(arrays["co_rating"], expected, atol=1e-6)
        fits.append(expected)
    assert not np.allclose(*fits, atol=1e-3)


def test_nothing_that_is_evaluated_reads_it(finished: Finished, tmp_path: Path) -> None:
    for stage in (evaluate, evaluate_baselines, compare, report):
        assert not any(artifact.covers(REFIT) or REFIT.covers(artifact) for artifact in stage.STAGE.reads)
    copy = refitting(finished.workspace, tmp_path / "copy")
    names = [f"evaluate.{variant}" for variant in VARIANTS] + ["compare"]
    for change in (
        lambda: ITS.at(KEY, copy.root).write_bytes(b"nonsense"),
        lambda: ITS.at(KEY, copy.root).unlink(),
    ):
        change()
        assert {name: result.code for name, result in copy.run_all(names).items()} == dict.fromkeys(names, 0)
        kept = {name: digest for name, digest in finished.files.items() if name != str(ITS.at(KEY))}
        assert {name: digest for name, digest in copy.files().items() if name != str(ITS.at(KEY))} == kept


def test_it_recommends_where_the_parameters_say_so_and_nothing_else_changes(finished: Finished, tmp_path: Path) -> None:
    copy = refitting(finished.workspace, tmp_path / "copy")
    results = copy.run_all([f"recommend.{variant}" for variant in VARIANTS])
    assert f"{REFITTED}, trained on all ratings: 800 recommendations" in results[f"recommend.{REFITTED}"].out
    assert "all ratings" not in results[f"recommend.{OTHER}"].out
    found = RECOMMENDATIONS.of(variant=REFITTED).read(KEY, copy.root)
    scores = stored_scores(copy.root, REFITTED, REFIT)
    matched = found.join(scores, on=["user_id", "item_id"])
    assert len(matched) == len(found) == 800
    np.testing.assert_allclose(matched["score"], matched["expected"], atol=1e-4)
    # Nobody is recommended what they rated, in whichever split that is; and it may be a reason.
    rated = planted_tables()["interactions"]
    assert found.join(rated, on=["user_id", "item_id"]).is_empty()
    reasons = found.explode("reasons").unnest("reasons", separator=".")["reasons.item_id"].drop_nulls()
    assert set(reasons) <= set(rated["item_id"])
    changed = {name for name, digest in copy.files().items() if finished.files[name] != digest}
    vectors = {f"artifacts/{KEY}/vectors/{REFITTED}/{name}_vectors.parquet" for name in ("item", "user")}
    assert changed == {str(RECOMMENDATIONS.of(variant=REFITTED).at(KEY)), *vectors}


def test_a_verb_says_which_model_answers(finished: Finished, tmp_path: Path, monkeypatch, capsys) -> None:
    copy = refitting(finished.workspace, tmp_path / "copy")
    scores = stored_scores(copy.root, REFITTED, REFIT)
    for verb in (["recommend", "-k", "1"], ["explain", "--item", "id:i3"]):
        arguments = [*verb, "--user", "u7"]
        shown = call(copy, monkeypatch, capsys, *arguments, "--variant", REFITTED)
        assert shown.code == 0, shown.err
        assert shown.out.startswith(f"{KEY}, {REFITTED}, trained on all ratings: ")
        shown = call(copy, monkeypatch, capsys, *arguments, "--variant", OTHER)
        assert shown.out.startswith(f"{KEY}, {OTHER}: ")
        assert '"refit": true' in call(copy, monkeypatch, capsys, *arguments, "--format", "json").out
        before = call(finished.workspace, monkeypatch, capsys, *arguments, "--format", "json")
        assert '"refit": false' in before.out
    csv = call(copy, monkeypatch, capsys, "recommend", "--user", "u7", "-k", "5", "--format", "csv").out
    for line in csv.splitlines()[1:]:
        _, item, _, score, *_ = line.split(",")
        expected = scores.filter(user_id="u7", item_id=item)["expected"].item()
        assert float(score) == pytest.approx(expected, abs=1e-4)


def test_a_refit_that_has_not_run_is_one_line(finished: Finished, tmp_path: Path, monkeypatch, capsys) -> None:
    copy = refitting(finished.workspace, tmp_path / "copy")
    ITS.at(KEY, copy.root).unlink()
    for result in (
        copy.run(f"recommend.{REFITTED}"),
        call(copy, monkeypatch, capsys, "recommend", "--user", "u7", "--variant", REFITTED),
    ):
        assert_a_mistake_in_one_line(result, f"{ITS.at(KEY)}: artifact not found; `dvc repro` makes it")


def test_a_refit_of_a_model_that_is_not_there_is_one_line(fresh: Workspace) -> None:
    assert_a_mistake_in_one_line(fresh.run(f"refit.{REFITTED}"), f"{MINE.at(KEY)}: artifact not found")


def test_a_refit_that_was_stopped_goes_on_and_one_of_another_model_does_not(
    finished: Finished, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = finished.workspace.copy(tmp_path / "copy")
    stop_refit(copy, monkeypatch)
    (checkpoint,) = (copy.root / ".checkpoints").rglob("*.pt")
    result = copy.run(f"refit.{REFITTED}")
    assert f"{REFITTED}: continuing from the last epoch of a run that was stopped" in result.out
    assert not checkpoint.exists()
    assert copy.files() == finished.files
    # Of another model, with the same settings: its validation may have chosen another epoch.
    stop_refit(copy, monkeypatch)
    arrays = {name: array + 1 for name, array in MINE.read(KEY, copy.root).items()}
    MINE.write(arrays, KEY, copy.root, about=MINE.about(KEY, copy.root))
    result = copy.run(f"refit.{REFITTED}")
    assert result.code == 0
    assert "continuing" not in result.out


def stop_refit(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    epochs: list[float] = []

    def show(self: object, loss: float) -> None:
        epochs.append(loss)
        if len(epochs) == 2:
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("stages.shared.training.TrainingBar.show_loss", show)
        assert workspace.run(f"refit.{REFITTED}").code not in (0, 2)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"smal": REFITTED}, f"params.yaml: refit: found the data set 'smal', expected some of: {KEY}"),
        ({KEY: "plus"}, f"params.yaml: refit.{KEY}: found 'plus', expected one of run_variants: {', '.join(VARIANTS)}"),
        ([KEY], "params.yaml: refit: "),
    ],
)
def test_a_refit_of_something_that_is_not_there_is_one_line(
    fresh: Workspace, tmp_path: Path, change: Any, message: str
) -> None:
    copy = fresh.copy(tmp_path / "copy")
    copy.change_params(lambda values: values.update(refit=change))
    assert_a_mistake_in_one_line(copy.run("validate"), message)
