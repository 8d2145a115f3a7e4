"""Run the ways of a case in turn, each run in a process of its own, within limits of time and memory."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any, TypeVar

from benchmarks.case import Case, Figures
from benchmarks.worker import OUT_OF_MEMORY
from pipeline.common.cores import cores_here
from pipeline.common.errors import InputError

POLL_SECONDS = 0.05
PREPARING_SECONDS = 1200.0
TOLERANCE = 1e-3


@dataclass
class Runs:
    """What the runs of one way took.

    Attributes:
        ended: `time` or `memory` if a run went over that limit; such a way is not run again.
        failed: the last line of what a run that broke said.
    """

    name: str
    seconds: list[float] = field(default_factory=list)
    cpu_seconds: list[float] = field(default_factory=list)
    mebibytes: list[float] = field(default_factory=list)
    figures: list[Figures] = field(default_factory=list)
    ended: str | None = None
    failed: str | None = None

    def value(self, measure: str) -> float | None:
        """The median of a measure; none if the way did not come to its end."""
        if self.ended or self.failed or not self.seconds:
            return None
        if measure in ("seconds", "cpu_seconds", "mebibytes"):
            values: list[float] = getattr(self, measure)
            return median(values)
        return median(figures[measure] for figures in self.figures)

    def add(self, found: Mapping[str, Any]) -> None:
        self.seconds.append(found["seconds"])
        self.cpu_seconds.append(found["cpu_seconds"])
        self.mebibytes.append(found["mebibytes"])
        self.figures.append(found["figures"])


@dataclass(frozen=True)
class Measured:
    """All ways of a case, ours first, and its bound (see `case.Bound`) if it has one."""

    case: Case
    ways: list[Runs]
    bound: Mapping[str, Any] | None


def measure(rows: str, index: int, case: Case, runs: int | None, say: Callable[[str], None]) -> Measured:
    """Run every way of case ``index`` of module ``rows`` so often, one after the other in each round: noise of the machine meets all alike.

    Raises:
        InputError: the inputs cannot be made, our own way fails, or a way's figures are not ours.
    """
    with tempfile.TemporaryDirectory() as folder:
        _must(_started(rows, index, "inputs", folder, case), f"{case.stage}, {case.task}: inputs")
        ways = [Runs(way.name) for way in case.ways]
        for turn in range(runs or case.runs):
            for number, found in enumerate(ways):
                if found.ended or found.failed:
                    continue
                outcome = _started(rows, index, str(number), folder, case)
                found.ended, found.failed = outcome.ended, outcome.failed
                if outcome.found is not None:
                    found.add(outcome.found)
                say(f"{case.stage}, {case.task}, run {turn + 1}, {found.name}: {_in_words(outcome)}")
            _must(ways[0], f"{case.stage}, {case.task}: {ways[0].name}")
        bound = _must(_started(rows, index, "bound", folder, case), "bound").found if case.bound else None
    for other in ways[1:]:
        _agree(ways[0], other, f"{case.stage}, {case.task}", {case.measure, *case.told})
    return Measured(case, ways, bound)


@dataclass(frozen=True)
class _Outcome:
    found: dict[str, Any] | None = None
    ended: str | None = None
    failed: str | None = None


def _started(rows: str, index: int, way: str, folder: str, case: Case) -> _Outcome:
    """One process of `benchmarks.worker`, ended where it goes over the limit of the case."""
    preparing = not way.isdigit()
    elsewhere = "" if preparing else case.ways[int(way)].environment
    python = Path(elsewhere) / "bin" / "python" if elsewhere else Path(sys.executable)
    if not python.exists():
        return _Outcome(failed=f"{elsewhere} is not there; `make {elsewhere}/.ready` sets it up")
    command = [str(python), "-W", "ignore", "-m", "benchmarks.worker", rows, str(index), way, folder]
    with tempfile.TemporaryFile("w+") as stdout, tempfile.TemporaryFile("w+") as stderr:
        # In a group of its own: what it has started ends with it.
        process = subprocess.Popen(command, stdout=stdout, stderr=stderr, env=environment(), start_new_session=True)
        start, limit = time.monotonic(), PREPARING_SECONDS
        working = False
        ended = None
        try:
            while process.poll() is None and ended is None:
                # The worker's first line says that the work begins.
                if not working and not preparing and os.fstat(stdout.fileno()).st_size:
                    working, start, limit = True, time.monotonic(), case.seconds
                if time.monotonic() - start > limit:
                    ended = "time"
                elif resident_mebibytes(process.pid) > case.mebibytes:
                    ended = "memory"
                time.sleep(POLL_SECONDS)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
        code = process.wait()
        for stream in (stdout, stderr):
            stream.seek(0)
        said, complained = stdout.read().splitlines(), stderr.read().splitlines()
    if ended or code == OUT_OF_MEMORY:
        return _Outcome(ended=ended or "memory")
    if code:
        return _Outcome(failed=complained[-1] if complained else f"exit code {code}")
    return _Outcome(found=json.loads(said[-1]))


def environment() -> dict[str, str]:
    """Every way may use every core."""
    cores = str(cores_here())
    return os.environ | {"OMP_NUM_THREADS": cores, "POLARS_MAX_THREADS": cores, "OMP_WAIT_POLICY": "PASSIVE"}


def resident_mebibytes(pid: int) -> float:
    """What a process holds now; 0 where the system does not say (then no limit of memory is kept)."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (OSError, IndexError):
        return 0.0
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


FoundT = TypeVar("FoundT", Runs, _Outcome)


def _must(found: FoundT, what: str) -> FoundT:
    reason = found.failed or (found.ended and f"more {found.ended} than its limit")
    if reason:
        raise InputError(f"{what}: {reason}")
    return found


def _agree(ours: Runs, theirs: Runs, where: str, free: set[str]) -> None:
    for mine, other in zip(ours.figures, theirs.figures, strict=False):
        for name in mine.keys() & other.keys() - free:
            if abs(mine[name] - other[name]) > TOLERANCE * abs(mine[name]):
                raise InputError(
                    f"{where}: {theirs.name}: {name}: found {other[name]}, expected {mine[name]}, as {ours.name} has it"
                )


def _in_words(outcome: _Outcome) -> str:
    if outcome.found is None:
        return outcome.failed or f"ended, over its limit of {outcome.ended}"
    found = outcome.found
    return f"{found['seconds']:.3g} s, {found['cpu_seconds']:.3g} CPU s, {found['mebibytes']:.0f} MiB"
