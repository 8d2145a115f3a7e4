"""Locks: DVC's, of a workspace whose stages were run without it, and those of a folder whose files are being changed."""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML


def note_all(root: Path, stage: str = "all@small", but: str = "") -> Path:
    """Write the lock that one stage would have that had written every artifact that is there, but for files of one name."""
    paths = sorted(path for path in (root / "artifacts").rglob("*") if path.is_file() and path.name != but)
    outs = [
        {
            "path": path.relative_to(root).as_posix(),
            "hash": "md5",
            "md5": hashlib.md5(path.read_bytes()).hexdigest(),
            "size": path.stat().st_size,
        }
        for path in paths
    ]
    # As an input it may be noted in the version of before.
    deps = [{**out, "md5": "0" * 32} for out in outs]
    yaml = YAML()
    yaml.default_flow_style = False
    lock = root / "dvc.lock"
    with lock.open("w") as file:
        yaml.dump({"schema": "2.0", "stages": {stage: {"cmd": "./stage all", "deps": deps, "outs": outs}}}, file)
    return lock


def is_held(folder: Path) -> bool:
    """Whether somebody holds the lock of `one_at_a_time`."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(handle)
    return False


def looking_first(call: Callable[..., Any], look: Callable[[], object]) -> Callable[..., Any]:
    """The same call, after a look."""

    def looking(*arguments: Any) -> Any:
        look()
        return call(*arguments)

    return looking
