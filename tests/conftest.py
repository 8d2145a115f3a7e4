"""Fixtures that several test modules share, and how tests are spread over processes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

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
LONGEST = ("test_dvc_repro", "stages")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests of a module, or of the shared workspace, are one worker's: what they share is made once."""

    def group(item: pytest.Item) -> str:
        shared = "finished" in getattr(item, "fixturenames", ())
        return "stages" if shared else item.path.relative_to(ROOT / "tests").with_suffix("").as_posix()

    for item in items:
        item.add_marker(pytest.mark.xdist_group(group(item)))
    items.sort(key=lambda item: LONGEST.index(group(item)) if group(item) in LONGEST else len(LONGEST))


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
