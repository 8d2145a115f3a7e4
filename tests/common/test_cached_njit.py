from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CODE = """
from pipeline.common.cached_njit import cached_njit
import twice
print(cached_njit()(twice.twice)(21))
"""


@pytest.mark.parametrize("writable", [True, False])
def test_compiled_code_is_kept_where_it_can_be_and_runs_where_it_cannot(tmp_path: Path, writable: bool) -> None:
    (tmp_path / "twice.py").write_text("def twice(number):\n    return number + number\n")
    root = Path(__file__).resolve().parents[2]
    environment = {name: value for name, value in os.environ.items() if name != "NUMBA_CACHE_DIR"}
    # A folder cannot be made where a file is: so it is for root as well.
    (tmp_path / "file").touch()
    home = tmp_path if writable else tmp_path / "file"
    if not writable:
        (tmp_path / "__pycache__").touch()
    found = subprocess.run(
        [sys.executable, "-B", "-c", CODE],
        env=environment
        | {"PYTHONPATH": f"{root}:{tmp_path}", "HOME": str(home), "XDG_CACHE_HOME": str(home / "cache")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (found.returncode, found.stdout) == (0, "42\n"), found.stderr
    assert bool(list(tmp_path.rglob("*.nbi"))) == writable
    shutil.rmtree(tmp_path)
