"""What a benchmark is: the same work done in our way and in others, each named."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Figures = Mapping[str, float]


@dataclass(frozen=True)
class Way:
    """One way to do the work.

    Attributes:
        name: as the table names it.
        prepare: what is not measured: imports, reading, building. Takes the folder that `Case.inputs` filled.
        work: what is measured, on what `prepare` gave. What it returns says that the work was done: a figure that two ways
            both return must be the same (numbers within a thousandth).
        warm: how often the work is done before it is measured (a compiler, a cache).
        note: what the reader must know to compare.
        environment: of another interpreter, a folder like `.venv-peers`; empty: the one that runs the benchmarks.
    """

    name: str
    prepare: Callable[[Path], Any]
    work: Callable[[Any], Figures]
    warm: int = 0
    note: str = ""
    environment: str = ""


@dataclass(frozen=True)
class Bound:
    """What no program that works this way can do without.

    Attributes:
        operations: arithmetic operations, a multiplication and an addition being two.
        moved: bytes between memory and processor.
        counted: how both were counted, in words.
    """

    operations: float
    moved: float
    counted: str


@dataclass(frozen=True)
class Case:
    """One piece of work, ours against the others.

    Attributes:
        stage: the stage of the pipeline that the work belongs to.
        task: the work, in words; one of its kind within the stage.
        inputs: writes into a folder what all ways read; not measured.
        aims: name of a way to the ratio that ours should reach against it.
        at_most: what ours should take, by the measure.
        at_most_more: name of a way to what ours should take beyond it, by the measure.
        measure: what is compared: `seconds` (wall clock), `cpu_seconds`, `mebibytes` (peak), or a figure that every way returns.
        unit: of the measure.
        runs: times that every way is run, in turn; the median counts.
        seconds, mebibytes: a run that takes more is ended, and the row says so.
        bound: of our way, on the folder of the inputs.
        told: figures that are shown and need not be the same.
    """

    stage: str
    task: str
    ours: Way
    alternatives: tuple[Way, ...]
    inputs: Callable[[Path], None]
    aims: Mapping[str, float] | None = None
    at_most: float | None = None
    at_most_more: Mapping[str, float] | None = None
    measure: str = "seconds"
    unit: str = "s"
    runs: int = 5
    seconds: float = 120
    mebibytes: int = 6144
    bound: Callable[[Path], Bound] | None = None
    told: tuple[str, ...] = ()

    @property
    def ways(self) -> tuple[Way, ...]:
        return (self.ours, *self.alternatives)
