"""Remove damaged files from DVC's cache, so that `dvc repro` makes them again. Not a DVC stage: `make check-cache`."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

from pipeline.common.errors import InputError
from stages.guard import show
from stages.shared.stage import run_tool


def main() -> None:
    asked = subprocess.run([sys.executable, "-m", "dvc", "cache", "dir"], capture_output=True, text=True, check=False)
    if asked.returncode:
        raise InputError(f"dvc cache dir: {asked.stderr or asked.stdout}")
    objects, damaged = check(Path(asked.stdout.strip()))
    for path in damaged:
        show(f"removed {path}: its content does not match its name")
    show(f"{len(objects)} files in DVC's cache, {len(damaged)} damaged; `dvc repro` makes again those it needs")


def check(cache: Path) -> tuple[list[Path], list[Path]]:
    """All files of a cache, and those removed because they have not the MD5 that they are named by."""
    objects = sorted(path for path in (cache / "files" / "md5").glob("??/*") if path.is_file())
    damaged = [path for path in objects if _digits(path) != path.parent.name + path.name.removesuffix(".dir")]
    for path in damaged:
        path.unlink()
    return objects, damaged


def _digits(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "md5").hexdigest()


if __name__ == "__main__":
    run_tool(main)
