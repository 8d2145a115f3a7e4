"""Measure the stages against named alternatives: `make bench`, or `python -m benchmarks [--only NAME] [--runs N]`."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from benchmarks import results
from benchmarks.machine import description, peaks
from benchmarks.measure import measure
from benchmarks.render import plain_table, render
from benchmarks.rows import ROWS, cases, module
from pipeline.common.cores import cores_here
from pipeline.common.errors import InputError
from stages.guard import guarded


def command(
    only: Annotated[list[str] | None, typer.Option(help="Files in benchmarks/rows to run; all if not given.")] = None,
    task: Annotated[str, typer.Option(help="Run only tasks whose description contains this.")] = "",
    runs: Annotated[
        int | None, typer.Option(min=1, help="Runs of each alternative, instead of what each case says.")
    ] = None,
) -> None:
    guarded(lambda: bench(only or list(ROWS), task, runs))


def bench(names: list[str], task: str, runs: int | None) -> None:
    """Measure, and put the rows into results.json and the documents after each case: a stopped run keeps what it has.

    Raises:
        InputError: an unknown name, or a case that cannot be measured.
    """
    for name in names:
        if name not in ROWS:
            raise InputError(f"only: found {name}, expected some of: {', '.join(ROWS)}")
    machine, best = description(cores_here()), peaks()
    order = [(case.stage, case.task) for name in ROWS for case in cases(name)]
    for name in names:
        for index, case in enumerate(cases(name)):
            if task not in case.task:
                continue
            found = results.rows_of(measure(module(name), index, case, runs, _say), machine, best)
            results.write(results.merged(results.read(), found, order))
    render()
    print(plain_table(results.read()))


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    typer.run(command)
