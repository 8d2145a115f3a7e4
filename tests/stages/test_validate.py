from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.artifacts.parameters import PARAMETERS_CHECKED
from pipeline.common.ablation import FILE, SECTIONS
from stages import validate
from tests.parameter_files import copy_to, edited
from tests.stages.conftest import Finished
from tests.stages.workspace import KEY, ROOT, Workspace, assert_a_mistake_in_one_line

Params = dict[str, Any]
# A wrong key at every depth, wrong values, and rules across sections: what is done to the file, and what is said.
WRONG: dict[str, tuple[Callable[[Params], object], str]] = {
    "top": (lambda p: p.update(sead=1), "sead: found an unknown key"),
    "data set": (
        lambda p: p["datasets"][KEY].update(like_treshold=4),
        f"datasets.{KEY}.like_treshold: found an unknown",
    ),
    "source": (
        lambda p: p["datasets"][KEY]["source"].update(folder="x"),
        f"datasets.{KEY}.source.folder: found an unknown key",
    ),
    "setting": (
        lambda p: p["variants"]["crmman"].update(head=4),
        "variants.crmman.head: found an unknown key",
    ),
    "missing": (
        lambda p: p["baselines"]["als"].pop("alpha"),
        "baselines.als.alpha: found nothing",
    ),
    "widths": (
        lambda p: p["variants"]["crmman"].update(fusion="average", width=32),
        "variants.crmman.fusion: average fusion needs equal widths, found width 32 and structural vectors 64 wide",
    ),
    "grid": (
        lambda p: p["baselines"]["item-knn"].update(neighbours=[20, -1]),
        "baselines.item-knn.neighbours.1: found -1",
    ),
    "changes of a data set": (
        lambda p: p["datasets"][KEY]["train_users"].update(epochs=0),
        f"datasets.{KEY}.train_users.epochs: found 0, expected greater than or equal to 1 (variant crmman)",
    ),
    "variants": (
        lambda p: p["run_variants"].append("crmman-pls"),
        "run_variants: found 'crmman-pls', expected some of: crmman, recommended",
    ),
    "baselines": (
        lambda p: p["run_baselines"].append("eas"),
        "run_baselines: found 'eas', expected some of: popularity, item-mean, item-knn, ease",
    ),
    "a baseline twice": (
        lambda p: p.update(run_baselines=["als", "als"]),
        "run_baselines: found ['als', 'als'], expected each at most once",
    ),
    "structures": (
        lambda p: p["structures"].clear(),
        "ablations.random-graph.structure_source: found 'random-graph', expected one of: ''",
    ),
    "ablations": (
        lambda p: p["ablations"]["random-graph"].update(of="recommend"),
        "ablations.random-graph.of: found 'recommend', expected one of: crmman, recommended",
    ),
    "settings of an ablation": (
        lambda p: p["ablations"]["random-graph"].update(dropuot=0.1),
        "ablations.random-graph.dropuot: found an unknown key",
    ),
}


def test_a_wrong_key_or_value_anywhere_is_one_line_and_leaves_artifacts_alone(finished: Finished, tmp_path) -> None:
    copies = {name: finished.workspace.copy(tmp_path / name) for name in WRONG}
    for name, (change, _) in WRONG.items():
        copies[name].change_params(change)
    for name, (_, message) in WRONG.items():
        file = FILE if message.startswith(SECTIONS) else "params.yaml"
        assert_a_mistake_in_one_line(copies[name].run("validate"), f"error: {file}: {message}")
        assert copies[name].files() == finished.files


def test_a_file_that_is_no_yaml_or_not_there_is_one_line(finished: Finished, tmp_path) -> None:
    copy = finished.workspace.copy(tmp_path / "copy")
    path = copy.root / "params.yaml"
    path.write_text(path.read_text() + "\nseed: [1\n")
    assert_a_mistake_in_one_line(copy.run("validate"), "params.yaml:", "not valid YAML")
    path.unlink()
    assert_a_mistake_in_one_line(copy.run("validate"), "params.yaml: file not found")
    path.write_bytes((finished.workspace.root / "params.yaml").read_bytes())
    path = copy.root / FILE
    path.write_text(path.read_text() + "\nseed: [1\n")
    assert_a_mistake_in_one_line(copy.run("validate"), "error: ablations/params.yaml:", "not valid YAML")
    path.unlink()
    assert_a_mistake_in_one_line(copy.run("validate"), "error: ablations/params.yaml: ablations: found nothing")
    assert copy.files() == finished.files


def test_an_ablation_of_a_variant_that_dvc_is_not_told_of_is_one_line(finished: Finished, tmp_path) -> None:
    copy = finished.workspace.copy(tmp_path / "copy")

    def change(values: Params) -> None:
        values["variants"]["mine"] = values["variants"]["recommended"]
        values["ablations"]["random-graph"]["of"] = "mine"

    copy.change_params(change)
    path = copy.root / "ablations" / "dvc.yaml"
    text = (ROOT / "ablations" / "dvc.yaml").read_text()
    path.write_text(text)
    assert_a_mistake_in_one_line(
        copy.run("validate"),
        "error: ablations/params.yaml: ablations.random-graph.of: found 'mine', which is not among the params of train_users in "
        "ablations/dvc.yaml; add variants.mine there, or name one of: crmman, recommended",
    )
    path.write_text(text.replace("      - variants.crmman\n", "      - variants.crmman\n      - variants.mine\n"))
    assert copy.run("validate").code == 0


def test_a_good_file_leaves_a_mark_that_does_not_change_with_the_values(finished: Finished, tmp_path) -> None:
    assert finished.results["validate"].code == 0
    copy = finished.workspace.copy(tmp_path / "copy", artifacts=False)
    copy.change_params(lambda values: values.update(seed=7))
    assert copy.run("validate").code == 0
    mark = "artifacts/params.checked"
    assert copy.files() == {mark: finished.files[mark]}


def test_a_data_set_that_is_not_on_this_machine_stops_its_own_stages_alone(fresh: Workspace, tmp_path: Path) -> None:
    copy = fresh.copy(tmp_path / "copy")
    with edited(copy.root) as values:
        values["datasets"]["elsewhere"] = values["datasets"][KEY] | {"source": {"type": "tables", "path": "../anime"}}
    for name in ("validate", "check_tables", "fetch", "prepare"):
        assert copy.run(name).code == 0
    for name in ("check_tables", "fetch"):
        assert_a_mistake_in_one_line(copy.run(name, "elsewhere"), "../anime")


def test_what_is_not_on_this_machine_is_named_and_stops_no_other_data_set(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    copy_to(tmp_path)
    with edited(tmp_path) as values:
        ml_100k = values["datasets"]["ml-100k"]
        ml_100k["source"]["path"] = str(ROOT / ml_100k["source"]["path"])
        values["datasets"]["elsewhere"] = ml_100k | {"source": {"type": "tables", "path": "../anime"}}
        values["datasets"]["elsewhere"]["embed_text"] = {"encoder": "./no-model"}
    validate.main()
    assert capsys.readouterr().err.splitlines() == [
        "warning: params.yaml: datasets.elsewhere.source.path: found '../anime', which does not exist; the stages of elsewhere will stop",
        "warning: params.yaml: datasets.elsewhere.embed_text.encoder: found './no-model', which does not exist; "
        "embed_text@elsewhere will stop",
    ]
    assert Path(PARAMETERS_CHECKED.path).is_file()
