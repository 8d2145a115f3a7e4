"""Fixtures that several test modules share, and how tests are spread over processes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

# One thread in each process, said before a library counts the cores: tests run beside each other, where threads of one would
# only wait for those of the others.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest

from pipeline.common.config import look_up, read_yaml, validated
from pipeline.common.cores import cores_here
from pipeline.common.errors import InputError
from pipeline.data.sources.files import DOWNLOADS
from pipeline.data.sources.recbole_wheel import RecboleWheelSource, fetch_wheel

ROOT = Path(__file__).parent.parent
WORKERS = 8
# Run from the start, since they take longest: through DVC, and the stages, which share a workspace where all of them ran.
LONGEST = ("tests/test_dvc_repro.py", "tests/stages")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(
        key=lambda item: LONGEST.index(group_of(item.nodeid)) if group_of(item.nodeid) in LONGEST else len(LONGEST)
    )


def group_of(nodeid: str) -> str:
    """Tests of a group are one worker's, so that what they share is made once: a module, or all of the stages with the faults."""
    path = nodeid.split("::")[0]
    return "tests/stages" if path.startswith(("tests/stages/", "tests/faults/")) else path


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    # xdist's own groups (`--dist loadgroup`) are not kept by version 3.8 under pytest 9.2.
    from xdist.scheduler import LoadFileScheduling

    class ByGroup(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return group_of(nodeid)

    return ByGroup(config, log)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Of `-n auto`: a worker for each core; with more of them each would only import PyTorch and wait for the longest."""
    return min(cores_here(), WORKERS)


@pytest.fixture(scope="session")
def recbole_wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The recbole wheel that params.yaml pins, kept where a run of the pipeline keeps it."""
    values = look_up(read_yaml(ROOT / "params.yaml"), ("datasets", "ml-100k", "source"), "params.yaml")
    source = validated(RecboleWheelSource, values, "params.yaml: ")
    try:
        return fetch_wheel(source.version, source.sha256, ROOT / DOWNLOADS)
    except InputError as error:
        if "pip could not fetch" not in str(error):
            raise
        folder = tmp_path_factory.mktemp("plain")
        plain = [sys.executable, "-m", "pip", "download", "--no-deps", "-d", folder, f"recbole=={source.version}"]
        if subprocess.run(plain, capture_output=True, check=False).returncode:
            pytest.skip(f"pip cannot reach a package index that has the wheel: {error}")
        raise
