"""What was damaged in DVC's cache comes back whole."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.artifacts.data import ITEMS
from pipeline.common.errors import InputError
from stages.cli.check_cache import check
from tests.stages.workspace import KEY, ROOT

MADE = """
import polars as pl
from pipeline.artifacts.data import ITEMS
ITEMS.write(pl.DataFrame({"item": [0], "item_id": ["a"]}, schema={"item": pl.Int32, "item_id": pl.String}), "small")
"""
PIPELINE = f"""
stages:
  items:
    cmd: {sys.executable} make.py
    outs: [artifacts/{KEY}/dataset]
"""
# Beside it one that nobody has run, as the ablations may be: bare `dvc checkout` would end with 255.
NEVER_RUN = """
stages:
  never:
    cmd: touch never
    outs: [never]
"""


def dvc(folder: Path, *arguments: str) -> str:
    found = subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 0, found
    return found.stdout


def test_a_damaged_object_is_found_by_whoever_reads_it_and_what_the_line_says_brings_it_back(tmp_path: Path) -> None:
    dvc(tmp_path, "dvc", "init", "--quiet", "--no-scm")
    (tmp_path / "make.py").write_text(MADE)
    (tmp_path / "dvc.yaml").write_text(PIPELINE)
    (tmp_path / "ablations").mkdir()
    (tmp_path / "ablations/dvc.yaml").write_text(NEVER_RUN)
    dvc(tmp_path, "dvc", "repro", "--quiet")
    path = ITEMS.at(KEY, tmp_path)
    whole = path.read_bytes()
    (kept,) = (each for each in (tmp_path / ".dvc/cache").rglob("*") if each.is_file() and each.read_bytes() == whole)
    kept.chmod(0o644)
    kept.write_bytes(whole[:100] + bytes([whole[100] ^ 1]) + whole[101:])
    # DVC trusts what cannot be written.
    kept.chmod(0o444)
    path.unlink()
    # As messages and pages have it.
    dvc(tmp_path, "dvc", "checkout", "dvc.yaml")
    # DVC has seen nothing, and makes nothing again.
    assert "up to date" in dvc(tmp_path, "dvc", "repro")
    with pytest.raises(InputError) as error:
        ITEMS.read(KEY, tmp_path)
    assert str(error.value) == (
        f"{path}: found other bytes than were written; remove this file, and run `make check-cache` and then `dvc repro`"
    )
    path.unlink()
    out = dvc(tmp_path, "stages.cli.check_cache")
    assert f"removed {kept}: its content does not match its name\n" in out
    assert out.endswith("1 damaged; `dvc repro` makes again those it needs\n")
    dvc(tmp_path, "dvc", "repro", "--quiet")
    assert path.read_bytes() == whole
    assert ITEMS.read(KEY, tmp_path)["item_id"].to_list() == ["a"]
    assert dvc(tmp_path, "stages.cli.check_cache").endswith(" 0 damaged; `dvc repro` makes again those it needs\n")


def test_a_cache_that_is_not_there_has_nothing(tmp_path: Path) -> None:
    assert check(tmp_path / "cache") == ([], [])
