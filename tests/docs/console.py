"""The console blocks of the README and of the pages: what they say was typed and printed, and the shape of it.

A block has a line before it that names the place where its commands run, or says why they are not run by a test:

    <!-- console: films -->
    ```console
    $ crmman similar --item "toy story"
    ...
    ```
"""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import NamedTuple

from tests.repository import ROOT

PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
NOT_RUN = "not run, "
FENCED = re.compile(
    r"(?:<!-- console: (?P<place>[^\n]*) -->\n)?```console\n(?P<text>.*?)^```$", re.DOTALL | re.MULTILINE
)
REASON = r"because |in spite |for anybody"
CLAUSE = re.compile(r"(because you (dis)?liked|in spite of your (dis)?liking) .+ \(#(, [^()]+)?\)|for anybody \(#\)")
# What the contribution of an item is the sum of.
PARTS = re.compile(r"[^,]+ [+-]?\d\S*(, [^,]+ [+-]?\d\S*)*")
NUMBER = re.compile(r"(?<![\w.])[+-]?\d[\d,]*(\.\d+)?(e-?\d+)?(?![\w])")


class Typed(NamedTuple):
    """A command of a block, and what the block shows of its output."""

    page: str
    place: str | None
    command: str
    output: str


def typed(page: Path) -> list[Typed]:
    """Every command of a page's console blocks."""
    found = []
    for block in FENCED.finditer(page.read_text(encoding="utf-8")):
        for part in re.split(r"^\$ ", block["text"], flags=re.MULTILINE)[1:]:
            command, output = _split(part)
            found.append(Typed(page.name, block["place"], command, output))
    return found


def at(place: str) -> list[Typed]:
    """The commands that run at a place, in the order of the pages."""
    return [one for path in PAGES for one in typed(path) if one.place == place]


def _split(part: str) -> tuple[str, str]:
    """A command, which goes on until its quotes are closed, and its output."""
    lines = part.splitlines(keepends=True)
    for end in range(1, len(lines) + 1):
        command = "".join(lines[:end]).rstrip("\n")
        try:
            shlex.split(command)
        except ValueError:
            continue
        return command, "".join(lines[end:])
    raise AssertionError(f"quotes that never close: {part}")


def shape(output: str) -> list[str]:
    """What must be the same when the same command runs on other data: words of the program, not figures, titles and their number.

    Rows of a table are reduced to what each cell is: a number, a reason, or a name.
    """
    # The last cell of a row may go on below.
    lines = [_line(line) for line in re.sub(r"\n {24,}(?=\S)", " ", output).splitlines()]
    # As many rows of a kind as there are.
    return [line for before, line in zip([None, *lines], lines, strict=False) if line and line != before]


def _line(line: str) -> str:
    line = re.sub(r"(?<![\w.])(/[\w.-]+)+", "PATH", line.rstrip())
    if line.startswith(("│", "┌", "╞", "└")):
        cells = [cell.strip() for cell in line.strip("│").split("┆")]
        # A model of item vectors alone says of no contribution what it comes from.
        cells = [
            "null" if cell in ("vectors", "co_rating", "overlap", "together", "popularity") else cell for cell in cells
        ]
        return " | ".join("LIST" if cell.startswith("[{") else _numbers(cell) for cell in cells) if "┆" in line else ""
    line = re.sub(r"\b(recommended|crmman)(?=:)", "MODEL", line)
    if re.match(REASON, line):
        return _reason(line)
    if line.startswith("    ") and re.search(r": .* \(of [\d,]+ items\)", line):
        return "RELATION"
    line = re.sub(r"^  \S.*(?=, which they (dis)?liked: )", "NAME", line)
    cells = re.split(r" {2,}", line.strip())
    if line.startswith(" ") and len(cells) > 1:
        # Where a model has no other part, none are shown.
        return " | ".join(cell for cell in map(_cell, cells) if cell != "PARTS")
    return _numbers(line)


def _cell(cell: str) -> str:
    if NUMBER.fullmatch(cell):
        return "#"
    if re.match(REASON, cell):
        return _reason(cell)
    if PARTS.fullmatch(cell) and re.search(r"(similar|item vectors|together) [+-]?\d", cell):
        return "PARTS"
    return _numbers(cell) if re.match(r"[a-z…]", cell) else "NAME"


def _reason(text: str) -> str:
    """A reason is the same as any other in the words of `pipeline.explain.sentence`, and stays as it is in other words."""
    clauses = re.split(rf"; (?={REASON})", _numbers(text))
    return "REASON" if all(CLAUSE.fullmatch(clause) for clause in clauses) else text


def _numbers(text: str) -> str:
    text = re.sub(r"[▁▂▃▄▅▆▇█]", "▅", NUMBER.sub("#", re.sub(r" +", " ", text)))
    return re.sub(r"(item|line|row|edge|like|dislike)s\b", r"\1", text)
