"""Fixtures that several test modules share."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

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
