"""A copy of this repository's pipeline in a git repository of its own, for tests that run DVC."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.in_process import run_module
from tests.repository import ROOT
from tests.stages_here import with_stages_here

TRACKED = (
    "pipeline",
    "stage",
    "stages",
    "ablations",
    "dvc.yaml",
    "params.yaml",
    ".dvcignore",
    "added/README.md",
    "rules/README.md",
    ".gitignore",
    ".dvc/config",
)
# DVC has no command for it: with --dry it fails where an input has not been made yet.
COMMANDS = """
import json, sys
from dvc.repo import Repo
from networkx import dfs_postorder_nodes
repo = Repo()
stages = {each: None for wanted in repo.stage.collect(sys.argv[1]) for each in dfs_postorder_nodes(repo.index.graph, wanted)}
print(json.dumps([stage.cmd for stage in stages]))
"""


class Clone:
    """A clone without history: one commit has the state of the working tree."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in TRACKED:
            source, target = ROOT / name, folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir():
                # With what Python and Numba compiled of it, so that no process does so once more; not what they are about to.
                shutil.copytree(source, target, ignore=shutil.ignore_patterns("*.pyc.*", "*.tmp.*"))
            else:
                shutil.copy(source, target)
        self.run("git", "init", "--quiet")

    def commit(self) -> None:
        self.run("git", "add", "--all")
        identity = ("-c", "user.name=test", "-c", "user.email=test@example.org")
        self.run("git", *identity, "commit", "--quiet", "--message", "state")

    def commands(self, target: str) -> list[str]:
        """What `dvc repro TARGET` runs where nothing has run yet, in an order in which data flows."""
        return list(json.loads(self.run(sys.executable, "-c", COMMANDS, target)))

    def run_here(self, command: str) -> str:
        """What a command of a stage prints, run in the tests' own process."""
        script, stage, *arguments = command.split()
        assert script == "./stage"
        result = run_module(f"stages.{stage}", *arguments, folder=self.folder)
        assert result.code == 0, result.err
        return result.out

    def run(self, *command: str, code: int = 0, stages_here: bool = False) -> str:
        """What a command prints, errors included, in the clone.

        Args:
            stages_here: what it starts as `./stage` runs in the tests' own process.
        """
        if stages_here:
            return with_stages_here(lambda first: self._run(command, code, (first,)))
        return self._run(command, code)

    def _run(self, command: tuple[str, ...], code: int, first: tuple[Path, ...] = ()) -> str:
        path = os.pathsep.join(map(str, (*first, Path(sys.executable).parent, os.environ["PATH"])))
        environment = {**os.environ, "PATH": path, "DVC_NO_ANALYTICS": "true"}
        environment.pop("PYTHONPATH", None)
        # Else each process of a stage would compile the clone's modules anew.
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        result = subprocess.run(
            command, cwd=self.folder, env=environment, capture_output=True, text=True, check=False, timeout=1200
        )
        assert result.returncode == code, result.stdout + result.stderr
        return result.stdout + result.stderr
