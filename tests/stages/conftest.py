from __future__ import annotations

from typing import NamedTuple

import pytest

from tests.stages.workspace import ABLATION_RUNS, RUNS, Result, Workspace, make_workspace, result_of


class Finished(NamedTuple):
    """A workspace in which every stage ran, what each said, and the files it left. Copy it before changing anything."""

    workspace: Workspace
    results: dict[str, Result]
    files: dict[str, str]


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    workspace = make_workspace(tmp_path_factory.mktemp("finished"))
    results = {name: workspace.run(name) for name in ("validate", "check_tables", "fetch", "prepare")}
    # Neither texts nor baselines need the graph.
    aside = {name: workspace.start_run(name) for name in ("embed_text", "evaluate_baselines")}
    results |= {name: workspace.run(name) for name in ("build_graph", "init_sdne", "train_gat")}
    results |= {name: result_of(process) for name, process in aside.items()}
    for name in (*RUNS, *ABLATION_RUNS):
        if name not in results:
            results[name] = workspace.run(name)
    return Finished(workspace, results, workspace.files())


@pytest.fixture(scope="session")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A workspace in which nothing ran. Nothing may be written there."""
    return make_workspace(tmp_path_factory.mktemp("fresh"))
