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
from pipeline.common.errors import InputError
from pipeline.data.sources.files import DOWNLOADS
from pipeline.data.sources.recbole_wheel import RecboleWheelSource, fetch_wheel

ROOT = Path(__file__).parent.parent


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
