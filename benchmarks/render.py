"""The rows of `benchmarks/results.json` in `docs/performance.md`: `python -m benchmarks.render`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks import results
from benchmarks.results import Row
from pipeline.common.errors import InputError
from pipeline.evaluation.comparison.markdown import markdown
from stages.shared.stage import run_tool

DOCUMENT = Path("docs/performance.md")
HEAD = ["stage", "work", "unit", "ours", "alternative", "its", "ratio", "CPU ratio", "aim"]


def render() -> None:
    """Write the tables into the document: a short one of what has an aim, and a long one for each stage.

    Raises:
        InputError: the document lacks their markers.
    """
    rows = results.read()
    replace(DOCUMENT, "ratios", ratios([row for row in rows if aim(row)]))
    for stage in dict.fromkeys(row["stage"] for row in rows):
        replace(DOCUMENT, stage, costs([row for row in rows if row["stage"] == stage]))
    replace(DOCUMENT, "bounds", bounds(rows))


def ratios(rows: Sequence[Row]) -> str:
    """The short table: what ours took, what the alternative took, their ratio."""
    machines = "; ".join(dict.fromkeys(row["machine"] for row in rows))
    return f"{markdown(HEAD, [short(row) for row in rows])}\n\nMeasured on: {machines}."


def costs(rows: Sequence[Row]) -> str:
    """All that was measured of one stage: a table for each work, with what must be known beside it."""
    parts = []
    for task in dict.fromkeys(row["task"] for row in rows):
        mine = [row for row in rows if row["task"] == task]
        head = [task, "wall s", "CPU s", "peak MiB", "runs", "ratio", *figure_names(mine)]
        ways = [("**ours**", "", mine[0]["ours"], "1")]
        ways += [(row["alternative"]["name"], ended(row), row["alternative"], ratio(row)) for row in mine]
        cells = [
            [
                name,
                why or number(way["seconds"]),
                number(way["cpu_seconds"]),
                number(way["mebibytes"]),
                str(way["runs"]),
                ratio_of,
            ]
            + [number(way["figures"].get(figure)) for figure in figure_names(mine)]
            for name, why, way, ratio_of in ways
        ]
        notes = [
            f"- {row['alternative']['name']}: {row['alternative']['note']}"
            for row in mine
            if row["alternative"]["note"]
        ]
        parts += [markdown(head, cells), *(["\n".join(notes)] if notes else [])]
    return "\n\n".join(parts)


def bounds(rows: Sequence[Row]) -> str:
    """For each work: what must be done and moved, at the machine's best, and how far from it ours is."""
    head = ["work", "operations", "bytes", "bound by", "bound s", "ours s", "measured / bound"]
    bounded = list({(row["stage"], row["task"]): row for row in rows if row["bound"]}.values())
    cells = []
    for row in bounded:
        bound = row["bound"]
        figures = (bound["seconds"], row["ours"]["seconds"], bound["measured_over_bound"])
        done = (number(bound["operations"]), number(bound["moved"]), bound["by"])
        cells.append([f"{row['stage']}, {row['task']}", *done, *(number(figure) for figure in figures)])
    counted = [f"- {row['stage']}, {row['task']}: {row['bound']['counted']}" for row in bounded]
    return "\n\n".join([markdown(head, cells), "\n".join(counted)])


def plain_table(rows: Sequence[Row]) -> str:
    """The short table for a terminal."""
    lines = [HEAD, *(short(row) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEAD))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )


def short(row: Row) -> list[str]:
    """The cells of `HEAD`."""
    ours, other = row["ours"], row["alternative"]
    return [
        row["stage"],
        row["task"],
        row["unit"],
        number(ours["value"]),
        other["name"],
        ended(row) or number(other["value"]),
        ratio(row),
        times(row["cpu_ratio"]),
        aim(row),
    ]


def aim(row: Row) -> str:
    """A ratio to reach, or what ours may take: in all, or beyond the alternative."""
    parts = {"aim": "≥ {:g}", "at_most": "≤ {:g} {}", "at_most_more": "≤ its + {:g} {}"}
    # Rows of an older run have no limits.
    return ", ".join(text.format(row[name], row["unit"]) for name, text in parts.items() if row.get(name) is not None)


def ratio(row: Row) -> str:
    """Theirs to ours; of what was ended for its time at least so much."""
    if row["ratio"] is None and row["ratio_at_least"] is not None:
        return f"> {times(row['ratio_at_least'])}"
    return times(row["ratio"])


def times(value: float | None) -> str:
    return "–" if value is None else f"{number(value)} ×"


def ended(row: Row) -> str:
    """Why an alternative has no figure: which limit it went over, or that it broke."""
    if row["alternative"]["failed"]:
        return f"failed: {row['alternative']['failed']}"
    limits = {"time": f"> {row['limit']['seconds']:g} s", "memory": f"> {row['limit']['mebibytes']:g} MiB"}
    return limits.get(row["alternative"]["ended"], "")


def number(value: float | None) -> str:
    """Three digits that count; nothing where there is no value."""
    if value is None:
        return "–"
    if value == 0 or 0.001 <= abs(value) < 1e6:
        return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
    return f"{value:.2e}"


def figure_names(rows: Sequence[Row]) -> list[str]:
    """Figures of the work that some way returned, by the order in which they come."""
    ways: list[dict[str, Any]] = [rows[0]["ours"], *(row["alternative"] for row in rows)]
    return list(dict.fromkeys(name for way in ways for name in way["figures"]))


def replace(document: Path, name: str, content: str, writer: str = "benchmarks.render") -> None:
    """Put content between the markers of a name.

    Raises:
        InputError: the document lacks them.
    """
    start, end = f"<!-- {name}: written by {writer} -->", f"<!-- end of {name} -->"
    text = document.read_text(encoding="utf-8")
    if start not in text or end not in text:
        raise InputError(f"{document}: markers of '{name}' not found; expected the lines {start} and {end}")
    head, rest = text.split(start, 1)
    document.write_text(f"{head}{start}\n\n{content}\n\n{end}{rest.split(end, 1)[1]}", encoding="utf-8")


if __name__ == "__main__":
    run_tool(render)
