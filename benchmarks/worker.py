"""One run of one way, in a process of its own: `python -m benchmarks.worker ROWS CASE WAY FOLDER`.

ROWS is the name of a module with `CASES`, CASE and WAY count from 0; WAY may be `inputs` or `bound`. The last line of stdout is what
was found, as JSON; the first says that the work begins. What the work itself prints goes to stderr.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from contextlib import redirect_stdout
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import Any

from benchmarks.case import Case, Way

OUT_OF_MEMORY = 3
PROC = Path("/proc")


def main(rows: str, case: str, way: str, folder: str) -> None:
    chosen: Case = import_module(rows).CASES[int(case)]
    try:
        with redirect_stdout(sys.stderr):
            found = _done(chosen, way, Path(folder))
    except MemoryError as error:
        print(error, file=sys.stderr)
        raise SystemExit(OUT_OF_MEMORY) from None
    print(json.dumps(found))


def _done(case: Case, way: str, folder: Path) -> dict[str, Any]:
    if way == "inputs":
        case.inputs(folder)
        return {}
    if way == "bound":
        assert case.bound is not None
        return asdict(case.bound(folder))
    return measured(case.ways[int(way)], folder)


def measured(way: Way, folder: Path) -> dict[str, Any]:
    """Wall and CPU seconds of the work, the process's peak memory, and the figures of the work."""
    ready = way.prepare(folder)
    for _ in range(way.warm):
        way.work(ready)
    print("working", file=sys.__stdout__, flush=True)
    cpu, wall = cpu_seconds(), time.perf_counter()
    figures = way.work(ready)
    wall, cpu = time.perf_counter() - wall, cpu_seconds() - cpu
    return {"seconds": wall, "cpu_seconds": cpu, "mebibytes": peak_mebibytes(), "figures": dict(figures)}


def cpu_seconds() -> float:
    """Of this process, of the ones that it has waited for and, on Linux, of those that it has started and that still run."""
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    ticks = sum(
        sum(map(int, (PROC / child / "stat").read_text().rpartition(")")[2].split()[11:13])) for child in _running()
    )
    return sum(usage.ru_utime + usage.ru_stime for usage in used) + ticks / os.sysconf("SC_CLK_TCK")


def peak_mebibytes() -> float:
    """Of this process, or of the largest that it has started."""
    unit = 2**20 if sys.platform == "darwin" else 2**10
    children = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * unit
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    if PROC.is_dir():
        # Linux counts into ru_maxrss what the parent held when it started this process.
        own = _peak("self")
    return float(max(own, children, *map(_peak, _running()))) / 2**20


def _peak(process: str) -> int:
    lines = (PROC / process / "status").read_text().splitlines()
    # One that has ended and was not waited for has none.
    return next((int(line.split()[1]) * 2**10 for line in lines if line.startswith("VmHWM:")), 0)


def _running() -> list[str]:
    """Children of this process that have not ended: a way may start one while it prepares, so that its start is not measured."""
    listed = PROC / str(os.getpid()) / "task" / str(os.getpid()) / "children"
    return listed.read_text().split() if listed.is_file() else []


if __name__ == "__main__":
    main(*sys.argv[1:])
