"""Cases on which the harness itself is tested: each way does something that can be told from outside."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.case import Bound, Case, Figures, Way

NUMBERS = "numbers.txt"
LEFT = Path(tempfile.gettempdir()) / f"left behind by {Path(__file__).parent.name}"


def inputs(folder: Path) -> None:
    (folder / NUMBERS).write_text("1 2 3")


def numbers(folder: Path) -> list[int]:
    print("said while preparing")
    return [int(word) for word in (folder / NUMBERS).read_text().split()]


def added(ready: list[int]) -> Figures:
    print("said while working")
    ready.append(0)
    return {"sum": sum(ready), "length": len(ready)}


def sleeping(ready: list[int]) -> Figures:
    time.sleep(60)
    return {"sum": 6}


def large(ready: list[int]) -> Figures:
    kept = bytearray(600 * 2**20)
    kept[::4096] = b"1" * len(kept[::4096])
    time.sleep(60)
    return {"sum": len(kept)}


def refused(ready: list[int]) -> Figures:
    raise MemoryError("no room")


def broken(ready: list[int]) -> Figures:
    raise ValueError("out of order")


def wrong(ready: list[int]) -> Figures:
    return {"sum": 7}


def interpreter(ready: list[int]) -> Figures:
    return {"sum": 6, "in a folder named elsewhere": float(Path(sys.prefix).name == "elsewhere")}


def longer(ready: list[int]) -> Figures:
    return {"sum": 6, "length": 60}


def in_a_child(ready: list[int]) -> Figures:
    subprocess.run([sys.executable, "-c", "x = bytearray(300 * 2**20); sum(range(3_000_000))"], check=True)
    return {"sum": 6}


def left_behind(ready: list[int]) -> Figures:
    """Starts a process that would write a file if it lived on, and says where."""
    later = f"import time; time.sleep(3); open({str(LEFT)!r}, 'w').close()"
    subprocess.run([sys.executable, "-c", later], check=True)
    return {"sum": 6}


def bound(folder: Path) -> Bound:
    return Bound(operations=3.0, moved=len((folder / NUMBERS).read_bytes()), counted="three additions")


OURS = Way("ours", numbers, added, warm=2)


def case(*alternatives: Way, ours: Way = OURS, seconds: float = 60, told: tuple[str, ...] = ()) -> Case:
    return Case(
        "sums",
        "three numbers",
        ours,
        alternatives,
        inputs,
        {"again": 2.0},
        seconds=seconds,
        mebibytes=400,
        bound=bound,
        told=told,
    )


CASES = (
    case(Way("again", numbers, lambda ready: {"sum": 6}), Way("in a child", numbers, in_a_child)),
    case(Way("asleep", numbers, sleeping), seconds=1),
    case(
        Way("large", numbers, large),
        Way("refused", numbers, refused),
        Way("broken", numbers, broken),
    ),
    case(Way("wrong", numbers, wrong)),
    case(ours=Way("ours", numbers, broken)),
    case(Way("elsewhere", numbers, interpreter), Way("nowhere", numbers, interpreter, environment=".venv-gone")),
    case(Way("longer", numbers, longer), told=("length",)),
    case(Way("left behind", numbers, left_behind), seconds=1),
)
