from __future__ import annotations

from typing import NamedTuple

import pytest

from tests.stages.workspace import KEY, Result, Workspace, make_workspace, result_of


class Finished(NamedTuple):
    """A workspace in which every stage ran, what each said, and the files it left. Copy it before changing anything."""

    workspace: Workspace
    results: dict[str, Result]
    files: dict[str, str]


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    workspace = make_workspace(tmp_path_factory.mktemp("finished"))
    results = {stage: workspace.run(stage) for stage in ("validate", "check_tables", "fetch", "prepare")}
    # Texts and graph do not need each other.
    texts = workspace.start("embed_text", "--dataset", KEY)
    results |= {stage: workspace.run(stage) for stage in ("build_graph", "init_sdne", "train_gat")}
    results["embed_text"] = result_of(texts)
    results |= {stage: workspace.run(stage) for stage in ("train_users", "evaluate")}
    return Finished(workspace, results, workspace.files())


@pytest.fixture(scope="session")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A workspace in which nothing ran. Nothing may be written there."""
    return make_workspace(tmp_path_factory.mktemp("fresh"))
