from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.stages.workspace import ALL_RUNS, Result, Workspace, make_workspace


class Finished(NamedTuple):
    """A workspace in which every stage ran, what each said, and the files it left. Copy it before changing anything."""

    workspace: Workspace
    results: dict[str, Result]
    files: dict[str, str]


@cache
def everything_has_run(folder: Path) -> Finished:
    """Made once below a folder, for the tests of the stages and for those of faults."""
    (folder / "finished").mkdir()
    workspace = make_workspace(folder / "finished")
    results = workspace.run_all(("validate", *ALL_RUNS))
    return Finished(workspace, results, workspace.files())


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    return everything_has_run(tmp_path_factory.getbasetemp())


@pytest.fixture(scope="session")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A workspace in which nothing ran. Nothing may be written there."""
    return make_workspace(tmp_path_factory.mktemp("fresh"))
