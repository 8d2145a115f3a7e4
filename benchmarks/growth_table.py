"""`benchmarks/growth.json` and its table in `docs/large_catalogues.md`: `python -m benchmarks.growth_table` writes it once more."""

from __future__ import annotations

import json
from collections.abc import Sequence
from math import log
from pathlib import Path
from typing import Any

from benchmarks.growth import STAGES, Taken, texts_for
from benchmarks.render import number, replace
from pipeline.evaluation.comparison.markdown import markdown
from stages.shared.stage import run_tool

RESULTS = Path("benchmarks/growth.json")
DOCUMENT = Path("docs/large_catalogues.md")
DIGITS = 4


def merged(old: Sequence[Taken], new: Sequence[Taken]) -> list[Taken]:
    """The new figures in place of old ones of the same stage and size, by stage and size."""
    found = {(taken.stage, taken.items): taken for taken in (*old, *new) if taken.stage in STAGES}
    places = list(STAGES)
    return [found[key] for key in sorted(found, key=lambda key: (places.index(key[0]), key[1]))]


def read(path: Path = RESULTS) -> list[Taken]:
    """All figures; none before the first run."""
    return [Taken(**row) for row in json.loads(path.read_text(encoding="utf-8"))] if path.is_file() else []


def write(found: Sequence[Taken], path: Path = RESULTS) -> None:
    rows = [{name: _rounded(value) for name, value in vars(taken).items()} for taken in found]
    path.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")


def table(found: Sequence[Taken]) -> str:
    """Stages as rows, and for each size what a stage took there and by which power of the items it has grown since the last one."""
    sizes = sorted({taken.items for taken in found})
    of = {(taken.stage, taken.items): taken for taken in found}
    head = ["stage"]
    for place, items in enumerate(sizes):
        head += [*(["growth"] if place else []), f"{items:,} items"]
    cells = []
    for stage in dict.fromkeys(taken.stage for taken in found):
        row = [stage]
        for place, items in enumerate(sizes):
            taken = of.get((stage, items))
            if place:
                row.append(_power(exponent(of.get((stage, sizes[place - 1])), taken)))
            row.append(_figures(taken))
        cells.append(row)
    loads = [taken.load for taken in found if taken.load is not None]
    machines = "; ".join(dict.fromkeys(taken.machine for taken in found))
    note = f"CPU s · wall s · peak MiB, one run each. Measured on: {machines}"
    if loads:
        note += f"; its load when a stage began was {min(loads):.1f} to {max(loads):.1f}"
    return f"{markdown(head, cells)}\n\n{note}."


def exponent(smaller: Taken | None, larger: Taken | None) -> float | None:
    """The power of the items by which CPU seconds grow between two sizes.

    Returns:
        None where a run is missing or did not come to its end, where they ran on different machines, or where the stage reads interactions
        or texts and they did not grow with the items.
    """
    if smaller is None or larger is None or not (smaller.whole and larger.whole) or smaller.machine != larger.machine:
        return None
    stage, items = STAGES[smaller.stage], (smaller.items, larger.items)
    read = [
        *([(smaller.interactions, larger.interactions)] if stage.interactions else []),
        *([(texts_for(smaller.items), texts_for(larger.items))] if stage.texts else []),
    ]
    if any(of_smaller * items[1] != of_larger * items[0] for of_smaller, of_larger in read):
        return None
    return log(larger.cpu_seconds / smaller.cpu_seconds) / log(larger.items / smaller.items)


def render(found: Sequence[Taken]) -> None:
    """Write the table into the document.

    Raises:
        InputError: the document lacks its markers.
    """
    replace(DOCUMENT, "growth", table(found), "benchmarks.growth_table")


def _figures(taken: Taken | None) -> str:
    if taken is None:
        return "–"
    if taken.failed:
        return f"failed: {taken.failed}"
    figures = f"{number(taken.cpu_seconds)} · {number(taken.seconds)} · {number(taken.mebibytes)}"
    return f"ended ({taken.ended}) at {figures}" if taken.ended else figures


def _power(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


def _rounded(value: Any) -> Any:
    return float(f"{value:.{DIGITS}g}") if isinstance(value, float) else value


if __name__ == "__main__":
    run_tool(lambda: render(read()))
