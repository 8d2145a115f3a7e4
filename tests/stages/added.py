"""A data set as `crmman data add` writes it, in a small workspace with training cut short."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from pipeline.common.config import read_yaml
from tests.in_process import run_module
from tests.parameter_files import copy_to
from tests.stages.workspace import Workspace, make_workspace

NAME = "added"


class Added(NamedTuple):
    """
    Attributes:
        said: by `data add`.
        entry: what it wrote.
    """

    workspace: Workspace
    said: str
    entry: dict[str, Any]


def added(root: Path, *options: str) -> Added:
    """
    Args:
        root: with a folder `NAME`, which has the data.
        options: of `data add`.
    """
    # The repository's own parameters, whose layout `data add` goes by.
    copy_to(root)
    default = read_yaml(root / "params.yaml")["variants"]
    found = run_module("stages.cli", "data", "add", NAME, NAME, *options, folder=root)
    assert found.code == 0, found.err
    entry = read_yaml(root / "params.yaml")["datasets"][NAME]
    workspace = make_workspace(root)

    def short(values: dict[str, Any]) -> None:
        values["variants"] = default
        values["datasets"] = {NAME: entry | {"train_users": {"epochs": 2, "batch_users": 20}}}

    workspace.change_params(short)
    return Added(workspace, found.out, entry)
