"""The stage that notes which code each of the others is made of."""

from __future__ import annotations

from pathlib import Path

from pipeline.artifacts.code import CODE_NOTES, STAGE_CODE
from pipeline.common.config import read_yaml
from tests.repository import ROOT
from tests.stages.workspace import Workspace


def test_every_stage_has_a_note_and_a_change_is_said_with_the_stages_that_it_concerns(
    fresh: Workspace, tmp_path: Path
) -> None:
    copy = fresh.copy(tmp_path / "copy")
    first = copy.run("code")
    assert (first.code, first.out, first.err) == (0, "", "")
    folder = copy.root / CODE_NOTES
    stages = read_yaml(ROOT / "dvc.yaml")["stages"].keys() | {"derive_graph", "compare_ablations"}
    assert stages <= {path.stem for path in folder.iterdir()}
    note = STAGE_CODE.of(stage="train_gat")
    lines = note.read("", copy.root)
    assert [line.split(" ")[1] for line in lines if "stages/" in line] == [
        "stages/__init__.py",
        "stages/stage.py",
        "stages/train_gat.py",
    ]

    note.write(
        [line.replace("0", "1") if line.endswith("pipeline/structure/gat/training.py") else line for line in lines],
        "",
        copy.root,
    )
    (folder / "gone.txt").write_text("0 lines\n")
    second = copy.run("code")
    assert second.out == "code: pipeline/structure/gat/training.py: changed; a part of train_gat\n"
    assert note.read("", copy.root) == lines
    assert not (folder / "gone.txt").exists()
