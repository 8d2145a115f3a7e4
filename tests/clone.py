"""A copy of this repository's pipeline in a git repository of its own, for tests that run DVC."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.repository import ROOT

TRACKED = (
    "pipeline",
    "stage",
    "stages",
    "ablations/dvc.yaml",
    "dvc.yaml",
    "params.yaml",
    ".dvcignore",
    ".gitignore",
    ".dvc/config",
)


class Clone:
    """A clone without history: one commit has the state of the working tree."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in TRACKED:
            source, target = ROOT / name, folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir():
                shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(source, target)
        self.run("git", "init", "--quiet")

    def commit(self) -> None:
        self.run("git", "add", "--all")
        identity = ("-c", "user.name=test", "-c", "user.email=test@example.org")
        self.run("git", *identity, "commit", "--quiet", "--message", "state")

    def run(self, *command: str, code: int = 0) -> str:
        """What a command prints, errors included, in the clone."""
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        environment = {**os.environ, "PATH": path, "DVC_NO_ANALYTICS": "true"}
        environment.pop("PYTHONPATH", None)
        result = subprocess.run(
            command, cwd=self.folder, env=environment, capture_output=True, text=True, check=False, timeout=600
        )
        assert result.returncode == code, result.stdout + result.stderr
        return result.stdout + result.stderr
