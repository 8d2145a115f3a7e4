"""What DVC has noted of files, as its locks have it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ruamel.yaml import YAML

from pipeline.artifacts.kinds import Lines, Tensors, as_noted
from pipeline.artifacts.kinds.noted import Note, notes_in
from pipeline.common.errors import InputError
from tests.repository import ROOT
from tests.stages.locks import note_all

NOTES = Lines("artifacts/{dataset}/notes.txt")
TENSORS = Tensors("artifacts/{dataset}/tensors.safetensors")


def test_all_files_of_the_repositorys_lock_are_found_as_a_reader_of_yaml_finds_them() -> None:
    stages = YAML(typ="safe").load((ROOT / "dvc.lock").read_text())["stages"]
    expected = {
        out["path"]: Note(out["md5"], stage, Path("dvc.lock"))
        for stage, entry in stages.items()
        for out in entry.get("outs", [])
        if not out["md5"].endswith(".dir")
    }
    # Of the first stage and the last, and of some between.
    named = ("graph/edges.parquet", "text/vectors.safetensors", "users/recommended/model.safetensors", "report.html")
    assert {
        "artifacts/params.checked",
        "metrics/ml-100k.json",
        *(f"artifacts/ml-100k/{name}" for name in named),
    } <= set(expected)
    assert {name: note for name, note in notes_in(ROOT).items() if note.lock == Path("dvc.lock")} == expected


def test_names_and_digits_that_yaml_quotes_are_found(tmp_path: Path) -> None:
    for name in ("a", "日本 café", "a: b", "1e5"):
        NOTES.write(["x"], name, tmp_path)
    lock = note_all(tmp_path, "all@1")
    md5 = notes_in(tmp_path)[NOTES.name("a")].md5
    lock.write_text(lock.read_text().replace(f"md5: {md5}", f"md5: '{'0' * 32}'"))
    notes = notes_in(tmp_path)
    assert set(notes) == {NOTES.name(name) for name in ("a", "日本 café", "a: b", "1e5")}
    assert notes[NOTES.name("a")] == Note("0" * 32, "all@1", Path("dvc.lock"))


def test_what_is_not_as_noted_is_refused_until_it_is_written(tmp_path: Path) -> None:
    NOTES.write(["one"], "d", tmp_path)
    note_all(tmp_path, "write@d").rename(tmp_path / "lock")
    (tmp_path / "ablations").mkdir()
    (tmp_path / "lock").rename(tmp_path / "ablations" / "dvc.lock")
    NOTES.write(["two"], "d", tmp_path)
    # Nothing is noted of what is newer than the lock, and nothing is compared outside of a stage.
    TENSORS.write({"a": np.zeros(1, dtype=np.float32)}, "d", tmp_path)
    assert NOTES.read("d", tmp_path) == ["two"]
    with as_noted(tmp_path):
        TENSORS.read("d", tmp_path)
        with pytest.raises(InputError) as error:
            NOTES.read("d", tmp_path)
        assert str(error.value) == (
            f"{NOTES.at('d', tmp_path)}: found another version than ablations/dvc.lock has of it; run `dvc repro`, which makes "
            "it again, or `dvc commit ablations/dvc.yaml:write@d` to keep this one"
        )
        NOTES.write(["three"], "d", tmp_path)
        assert NOTES.read("d", tmp_path) == ["three"]
    with as_noted(tmp_path), pytest.raises(InputError):
        NOTES.read("d", tmp_path)
    with as_noted(tmp_path / "elsewhere"):
        NOTES.read("d", tmp_path)


@pytest.mark.parametrize(
    "content", [b"", b"\xff\x00", b"stages:\n  a:\n    outs:\n    - path: x\n", b"schema: '2.0'\n"]
)
def test_a_lock_that_says_nothing_of_a_file_is_no_error(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "dvc.lock").write_bytes(content)
    assert notes_in(tmp_path) == {}
