from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

CODE = """
from pipeline.common.cached_njit import cached_njit
import twice
print(cached_njit()(twice.twice)(21))
"""


def run(folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """In a process of its own, with its home and its code in the folder."""
    (folder / "twice.py").write_text("def twice(number):\n    return number + number\n")
    root = Path(__file__).resolve().parents[2]
    here = {name: value for name, value in os.environ.items() if name != "NUMBA_CACHE_DIR"}
    found = subprocess.run(
        [sys.executable, "-B", "-c", CODE],
        env=here
        | {"PYTHONPATH": f"{root}:{folder}", "HOME": str(folder), "XDG_CACHE_HOME": str(folder / "cache")}
        | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (found.returncode, found.stdout) == (0, "42\n"), found.stderr
    return found


@pytest.mark.parametrize("writable", [True, False])
def test_compiled_code_is_kept_where_it_can_be_and_runs_where_it_cannot(tmp_path: Path, writable: bool) -> None:
    # A folder cannot be made where a file is: so it is for root as well.
    (tmp_path / "file").touch()
    if writable:
        run(tmp_path)
    else:
        (tmp_path / "__pycache__").touch()
        nowhere = {"HOME": str(tmp_path / "file"), "XDG_CACHE_HOME": str(tmp_path / "file" / "cache")}
        run(tmp_path, **nowhere)
        run(tmp_path, **nowhere, NUMBA_CACHE_DIR=str(tmp_path / "file" / "numba"))
    assert bool(list(tmp_path.rglob("*.nbi"))) == writable


@pytest.mark.parametrize("ending", [".nbi", ".nbc"])
def test_what_is_kept_and_damaged_is_compiled_again_and_kept_where_it_can_be(tmp_path: Path, ending: str) -> None:
    run(tmp_path)
    (file,) = tmp_path.rglob(f"*{ending}")
    whole = file.read_bytes()
    file.write_bytes(whole[:100])
    run(tmp_path)
    # The next process finds it whole, whatever numba calls it.
    assert any(len(path.read_bytes()) == len(whole) for path in tmp_path.rglob(f"*{ending}"))
    # A file that is there and can neither be read nor replaced.
    for path in tmp_path.rglob(f"*{ending}"):
        path.unlink()
        path.mkdir()
    run(tmp_path)
