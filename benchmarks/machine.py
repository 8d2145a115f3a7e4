"""The machine in words, and what it can do at its best: the yardstick of `docs/performance.md`."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

REPEATS = 7


@dataclass(frozen=True)
class Peaks:
    """Float32 operations a second (matrix product of 2048 x 2048), and bytes a second (read and written, in a copy of 256 MiB)."""

    operations: float
    moved: float

    def seconds(self, operations: float, moved: float) -> float:
        """The least time for so many operations and so many bytes, were both done at once."""
        return max(operations / self.operations, moved / self.moved)

    def bounded_by(self, operations: float, moved: float) -> str:
        return "arithmetic" if operations / self.operations > moved / self.moved else "memory"


def peaks() -> Peaks:
    """The best of several tries, with all cores: what other programs leave of the machine varies."""
    left, right = np.ones((2048, 2048), np.float32), np.ones((2048, 2048), np.float32)
    source, target = np.ones(2**26, np.float32), np.empty(2**26, np.float32)

    def copied() -> None:
        np.copyto(target, source)

    return Peaks(2 * 2048**3 / _best(lambda: left @ right), 2 * source.nbytes / _best(copied))


def _best(work: Callable[[], Any]) -> float:
    took = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        work()
        took.append(time.perf_counter() - start)
    return min(took)


def description(cores: int) -> str:
    """Processor, cores that a process may use, memory, interpreter."""
    return f"{_processor()}, {cores} cores, {_gibibytes():.0f} GiB, Python {platform.python_version()}"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())


def _gibibytes() -> float:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
