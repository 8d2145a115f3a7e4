"""Damaged objects of DVC's cache, in a repository of DVC's own."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

from hypothesis import assume
from hypothesis import strategies as st

from pipeline.common.errors import InputError
from stages.cli.check_cache import check
from tests.faults.campaign import Draw
from tests.faults.damaged import damaged, every
from tests.faults.outcome import expect
from tests.faults.world import Found, World
from tests.repository import ROOT
from tests.stages.workspace import KEY


def dvc(folder: Path, *arguments: str) -> None:
    found = subprocess.run(
        [sys.executable, "-m", "dvc", *arguments],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT), "DVC_NO_ANALYTICS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 0, found


def repository(world: World) -> Path:
    """A folder whose artifacts DVC has in its cache, and in no other place."""
    root = world.scratch / "cached"
    shutil.copytree(world.finished.root / "artifacts", root / "artifacts")
    dvc(root, "init", "--quiet", "--no-scm")
    dvc(root, "add", "--quiet", "artifacts")
    return root


def damaged_object(world: World, draw: Draw) -> None:
    """It comes back as if it were whole; its reader says so, and `make check-cache` removes it and no other."""
    root: Path = world.once(repository)
    found: Found = draw(st.sampled_from([each for each in world.once(every) if each.file.startswith("artifacts/")]))
    path, digest = root / found.file, _md5(world.finished.root / found.file)
    kept = root / ".dvc/cache/files/md5" / digest[:2] / digest[2:]
    whole = kept.read_bytes()
    # Several artifacts may be alike, and are one object.
    assume(whole == path.read_bytes())
    before = len(list(kept.parent.parent.glob("??/*")))
    try:
        kept.chmod(0o644)
        kept.write_bytes(damaged(draw, whole))
        # DVC trusts what cannot be written.
        kept.chmod(0o444)
        path.unlink()
        dvc(root, "checkout", "--quiet")
        try:
            found.artifact.read(KEY, root)  # type: ignore[attr-defined]
            expect(False, f"{found.file}: read as if nothing were wrong with it")
        except InputError as error:
            expect("make check-cache" in str(error), f"it does not say how to get it back: {error}")
        objects, removed = check(root / ".dvc/cache")
        expect(removed == [kept] and not kept.exists(), f"removed {removed}")
        expect(
            len(objects) == before == len(list(kept.parent.parent.glob("??/*"))) + 1,
            f"{len(objects)} of {before} objects seen",
        )
    finally:
        kept.unlink(missing_ok=True)
        kept.write_bytes(whole)
        kept.chmod(0o444)
        path.unlink(missing_ok=True)
        path.write_bytes(whole)


def _md5(path: Path) -> str:
    return hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()
