"""Code and a home that whoever runs it may not write: a container that runs as another user."""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.in_process import Result
from tests.stages.workspace import KEY, ROOT, VARIANTS, make_workspace

# Of prctl: what no program that is started gets any more; and what root may otherwise do, to write and read whatever the mode says.
DROP, DAC_OVERRIDE, DAC_READ_SEARCH = 24, 1, 2
# All in one process: each that is new takes seconds to start.
SCRIPT = """
import json, os, sys
from pathlib import Path
if os.access("../code", os.W_OK):
    sys.exit("root")
from tests.in_process import run_module
print(json.dumps([run_module(module, *arguments, folder=Path()) for module, *arguments in json.loads(sys.argv[1])]))
"""
MODEL = VARIANTS[1]
PIPELINE = [
    ["stages.validate"],
    *(
        [f"stages.{name}", "--dataset", KEY]
        for name in ("check_tables", "fetch", "prepare", "embed_text", "embed_image")
    ),
    *([f"stages.{name}", "--dataset", KEY] for name in ("build_graph", "init_sdne", "train_gat")),
    ["stages.train_users", "--dataset", KEY, "--variant", MODEL],
    ["stages.evaluate", "--dataset", KEY, "--variant", MODEL],
]
ASKED = [
    ["stages.cli", "recommend", "--user", "u7", "--variant", MODEL],
    ["stages.cli", "explain", "--user", "u7", "--item", "id:i3", "--variant", MODEL],
    ["stages.cli", "similar", "--item", "id:i3"],
    ["stages.cli", "data", "check", "tables"],
]


def as_anybody() -> None:
    """Root is to be somebody whom the mode of a file concerns."""
    libc = ctypes.CDLL(None)
    for capability in (DAC_OVERRIDE, DAC_READ_SEARCH):
        libc.prctl(DROP, capability, 0, 0, 0)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Code that nobody may write, and a workspace beside it."""
    folder = tmp_path_factory.mktemp("read-only")
    for name in ("pipeline", "stages", "tests"):
        shutil.copytree(ROOT / name, folder / "code" / name, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "work").mkdir()
    make_workspace(folder / "work")
    allow(folder / "code", writing=False)
    try:
        yield folder
    finally:
        allow(folder, writing=True)


def allow(folder: Path, *, writing: bool) -> None:
    for path in (folder, *folder.rglob("*")):
        path.chmod((0o755 if path.is_dir() else 0o644) if writing else (0o555 if path.is_dir() else 0o444))


def run(place: Path, commands: list[list[str]]) -> list[Result]:
    environment = os.environ | {"PYTHONPATH": str(place / "code"), "HOME": "/dev/null"}
    for name in ("NUMBA_CACHE_DIR", "XDG_CACHE_HOME", "PYTHONDEVMODE"):
        environment.pop(name, None)
    process = subprocess.run(
        [sys.executable, "-c", SCRIPT, json.dumps(commands)],
        cwd=place / "work",
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=as_anybody,
    )
    if process.stderr == "root\n":
        pytest.skip("this root cannot give up that it may write everything")
    assert process.stdout, process.stderr
    return [Result(*each) for each in json.loads(process.stdout.splitlines()[-1])]


def test_code_and_home_that_cannot_be_written_are_enough_to_run_and_ask(place: Path) -> None:
    before = sorted((place / "code").rglob("*"))
    for command, result in zip(PIPELINE + ASKED, run(place, PIPELINE + ASKED), strict=True):
        assert result.code == 0, (command, result.err)
        assert "Traceback" not in result.err
    assert sorted((place / "code").rglob("*")) == before


def test_a_workspace_that_cannot_be_written_answers_and_says_what_a_stage_cannot_write(place: Path) -> None:
    work = place / "work"
    files = sorted(work.rglob("*"))
    assert (work / "artifacts").is_dir(), "of the test before"
    allow(work, writing=False)
    try:
        stages = [["stages.fetch", "--dataset", KEY], ["stages.evaluate", "--dataset", KEY, "--variant", MODEL]]
        writing = [*ASKED[0], "--output", "answer.csv"]
        *answers, fetched, evaluated, written = run(place, [*ASKED, *stages, writing])
    finally:
        allow(work, writing=True)
    for command, result in zip(ASKED, answers, strict=True):
        assert (result.code, result.err) == (0, ""), command
    for result, name in (
        (fetched, f"artifacts/{KEY}/source/"),
        (evaluated, "artifacts/"),
        (written, "--output answer.csv: "),
    ):
        assert result.code == 2, result
        assert result.err.startswith(f"error: {name}"), result.err
        assert result.err.endswith(": Permission denied\n")
        assert result.err.count("\n") == 1
    assert sorted(work.rglob("*")) == files
