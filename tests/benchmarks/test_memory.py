"""Stages hold what the documentation says of their memory, by the most that their processes ever had."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from benchmarks.growth import Taken, params
from benchmarks.synthetic import generate, write
from tests.repository import ROOT

PAGE = ROOT / "docs/large_catalogues.md"
# As many interactions as it takes for a stage that holds a second copy of them to go over its line: one run differs from the next by
# up to a fifth, whatever their number.
USERS, ITEMS, INTERACTIONS = 18_000, 30_000, 3_000_000
SIZES = ("interactions", "items", "users", "triples")
# What the system says of a process counts what the one was that began it, so that this one, which holds libraries, may not be it.
APART = """
import json, sys
from dataclasses import asdict
from pathlib import Path
from benchmarks.growth import Limits, run
stage, items, most = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
print(json.dumps(asdict(run(stage, items, Path(sys.argv[4]), Limits(600, most), sys.argv[5:]))))
"""
# Of a baseline the least that any holds; the others have a model besides.
MORE = {"evaluate_baselines": ["--baseline", "popularity"]}


def rates() -> dict[str, tuple[float, dict[str, float]]]:
    """What the page's table says: by stage the mebibytes that it starts with, and bytes for each of `SIZES`."""
    rows = re.findall(r"^\| (\w+) \| (\d+) MiB \| (\d+) B \| (\d+) B \| (\d+) B \| (\d+) B \|$", PAGE.read_text(), re.M)
    return {stage: (float(start), dict(zip(SIZES, map(float, found), strict=True))) for stage, start, *found in rows}


def taken_by(stage: str, most: float, folder: Path) -> Taken:
    command = [sys.executable, "-c", APART, stage, str(ITEMS), str(int(2 * most)), str(folder), *MORE.get(stage, [])]
    answer = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return Taken(**json.loads(answer.stdout))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Mapping[str, int]]:
    """A folder with a synthetic data set, and its sizes."""
    folder = tmp_path_factory.mktemp("medium")
    tables = generate(USERS, ITEMS, INTERACTIONS, 0)
    write(tables, folder / "tables")
    (folder / "params.yaml").write_text(json.dumps(params(ITEMS)))
    return folder, {
        "interactions": len(tables["interactions"]),
        "items": ITEMS,
        "users": USERS,
        "triples": len(tables["kg"]),
    }


@pytest.mark.parametrize("stage", ["check_tables", "fetch", "prepare", "evaluate_baselines"])
def test_a_stage_holds_no_more_than_its_formula(
    stage: str, made: tuple[Path, Mapping[str, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, sizes = made
    # More threads hold more; the page's figures are of two.
    monkeypatch.setenv("POLARS_MAX_THREADS", "2")
    start, bytes_of = rates()[stage]
    most = start + sum(bytes_of[name] * size for name, size in sizes.items()) / 2**20
    taken = taken_by(stage, most, folder)
    assert taken.whole, taken
    assert taken.mebibytes <= most
    # Else the line would hold nothing.
    assert taken.mebibytes > 0.5 * most
