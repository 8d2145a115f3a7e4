"""`benchmarks/results.json`: one row for every alternative, in the order of the registry."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.machine import Peaks
from benchmarks.measure import Measured, Runs

RESULTS = Path("benchmarks/results.json")
DIGITS = 4

Row = dict[str, Any]


def rows_of(measured: Measured, machine: str, peaks: Peaks) -> list[Row]:
    """A row for every alternative: what it and ours took, and the ratio of theirs to ours.

    A way that was ended at a limit has no value of its own: `ended` says at which, and where that is time the ratio is
    at least `ratio_at_least`.
    """
    case = measured.case
    ours, *others = measured.ways
    bound = None
    if measured.bound is not None:
        operations, moved = measured.bound["operations"], measured.bound["moved"]
        least = peaks.seconds(operations, moved)
        bound = {
            **measured.bound,
            "by": peaks.bounded_by(operations, moved),
            "seconds": least,
            "measured_over_bound": _over(ours.value("seconds"), least),
        }
    found = []
    for way, runs in zip(case.alternatives, others, strict=True):
        value, mine = runs.value(case.measure), ours.value(case.measure)
        found.append(
            {
                "stage": case.stage,
                "task": case.task,
                "ours": _taken(ours, case.measure),
                "alternative": {"name": way.name, "note": way.note, **_taken(runs, case.measure)},
                "ratio": _over(value, mine),
                "cpu_ratio": _over(runs.value("cpu_seconds"), ours.value("cpu_seconds")),
                "ratio_at_least": _over(case.seconds, mine)
                if runs.ended == "time" and case.measure == "seconds"
                else None,
                "limit": {"seconds": case.seconds, "mebibytes": case.mebibytes},
                "aim": (case.aims or {}).get(way.name),
                "at_most": case.at_most,
                "at_most_more": (case.at_most_more or {}).get(way.name),
                "measure": case.measure,
                "unit": case.unit,
                "bound": bound,
                "machine": machine,
            }
        )
    return [_rounded(row) for row in found]


def _over(above: float | None, below: float | None) -> float | None:
    return above / below if above is not None and below else None


def _taken(runs: Runs, measure: str) -> dict[str, Any]:
    return {
        "value": runs.value(measure),
        "seconds": runs.value("seconds"),
        "cpu_seconds": runs.value("cpu_seconds"),
        "mebibytes": runs.value("mebibytes"),
        "runs": len(runs.seconds),
        "figures": dict(runs.figures[-1]) if runs.figures else {},
        "ended": runs.ended,
        "failed": runs.failed,
    }


def read(path: Path = RESULTS) -> list[Row]:
    """All rows; none before the first run."""
    return list(json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else []


def merged(old: Sequence[Row], new: Sequence[Row], order: Sequence[tuple[str, str]]) -> list[Row]:
    """The new rows in place of old ones of the same work, by the order of (stage, task); work that it lacks is left out."""
    done = {(row["stage"], row["task"]) for row in new}
    kept = [row for row in old if (row["stage"], row["task"]) not in done]
    place = {work: index for index, work in enumerate(order)}
    known = [row for row in [*kept, *new] if (row["stage"], row["task"]) in place]
    return sorted(known, key=lambda row: place[row["stage"], row["task"]])


def write(rows: Sequence[Row], path: Path = RESULTS) -> None:
    path.write_text(json.dumps(list(rows), indent=2) + "\n", encoding="utf-8")


def _rounded(content: Any) -> Any:
    if isinstance(content, dict):
        return {key: _rounded(value) for key, value in content.items()}
    return float(f"{content:.{DIGITS}g}") if isinstance(content, float) else content
