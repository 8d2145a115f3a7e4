from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from stages.cli import main
from tests.stages.workspace import ALL_RUNS, Result, Workspace, make_workspace

Ask = Callable[..., Result]


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


@pytest.fixture
def ask(finished: Finished, monkeypatch, capsys) -> Ask:
    """Call `crmman` in the finished workspace, or another."""

    def call(*arguments: str, workspace: Workspace = finished.workspace) -> Result:
        monkeypatch.chdir(workspace.root)
        monkeypatch.delenv("COLUMNS", raising=False)
        with pytest.raises(SystemExit) as end:
            main(arguments)
        out, err = capsys.readouterr()
        return Result(int(end.value.code or 0), out, err)

    return call


@pytest.fixture
def answer(ask: Ask) -> Callable[..., dict[str, Any]]:
    """What `crmman ... --format json` answers."""

    def call(*arguments: str) -> dict[str, Any]:
        result = ask(*arguments, "--format", "json")
        assert (result.code, result.err) == (0, "")
        found: dict[str, Any] = json.loads(result.out)
        return found

    return call
