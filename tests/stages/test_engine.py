"""Stages with `engine: ray`: in processes of their own, as DVC runs them."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.stages.conftest import Finished
from tests.stages.workspace import KEY, Workspace, assert_a_mistake_in_one_line


def on_ray(finished: Finished, folder: Path, address: str) -> Workspace:
    copy = finished.workspace.copy(folder)

    def change(values: dict[str, Any]) -> None:
        values["engine"], values["ray_address"] = "ray", address

    copy.change_params(change)
    return copy


def test_a_stage_on_workers_writes_the_same_bytes_and_says_where_it_was(finished: Finished, tmp_path: Path) -> None:
    workspace = on_ray(finished, tmp_path / "copy", "local")
    result = workspace.run_apart("build_graph")
    # And nothing that it does not say elsewhere.
    assert (result.code, result.err) == (0, finished.results["build_graph"].err), result
    assert f"[{KEY}] build_graph: on Ray, " in result.out
    assert "started on this machine" in result.out
    assert workspace.files() == finished.files


def test_a_cluster_that_is_not_there_is_one_line_and_no_mistake_in_a_file(finished: Finished, tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    workspace = on_ray(finished, tmp_path / "copy", address)
    result = workspace.run_apart("build_graph")
    assert result.code == 1, result
    assert result.err.startswith(f"error: ray_address: found {address}, but no Ray cluster answers there (")
    assert result.err.count("\n") == 1
    assert workspace.files() == finished.files


def test_an_address_that_is_none_and_an_engine_that_there_is_not_are_mistakes(
    finished: Finished, tmp_path: Path
) -> None:
    workspace = on_ray(finished, tmp_path / "copy", "ray://somewhere:10001")
    assert_a_mistake_in_one_line(workspace.run("build_graph"), "params.yaml: ray_address: found 'ray://")
    workspace.change_params(lambda values: values.update(engine="spark", ray_address="auto"))
    assert_a_mistake_in_one_line(
        workspace.run("build_graph"), "params.yaml: engine: found 'spark', expected 'local' or 'ray'"
    )


def test_without_ray_a_line_says_how_to_install_it(
    finished: Finished, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace = on_ray(finished, tmp_path / "copy", "local")
    monkeypatch.setitem(sys.modules, "ray", None)
    # What the stage sets in the environment of this process.
    monkeypatch.setattr("os.environ", dict(os.environ))
    assert_a_mistake_in_one_line(workspace.run("build_graph"), "engine: found ray, but Ray is not installed; run `pip")
