"""What a trial may end in."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

from pipeline.common.errors import CONTROLS, LONGEST_LINE
from stages.guard import FAILED, INTERRUPTED, USER_MISTAKE
from tests.in_process import Result

# Lines that may stand beside the error: a note says what was made of a title, say, before that turns out to be a mistake.
WARNING = re.compile(r"(\[[\w-]+\] \w+: warning|note): .*")


class FaultError(AssertionError):
    """What must not come of a trial: a traceback, a silent wrong result, a file left over or half-written."""


def expect(holds: bool, fault: str) -> None:
    if not holds:
        raise FaultError(fault)


def expect_one_line(result: Result, *codes: int) -> None:
    """An exit code that says that it failed, one of those given if any are, and one line on stderr beside warnings and notes."""
    lines = [line for line in result.err.splitlines() if not WARNING.fullmatch(line)]
    expect(result.code in (codes or (USER_MISTAKE, FAILED, INTERRUPTED)), f"exit code {result.code}: {result.err}")
    expect(len(lines) == 1, f"{len(lines)} lines: {result.err[-3000:]}")
    expect(lines[0] == "stopped" if result.code == INTERRUPTED else lines[0].startswith("error: "), lines[0])
    expect("this is a bug" not in lines[0], lines[0])
    expect(len(lines[0]) <= LONGEST_LINE + 20, f"a line of {len(lines[0])} characters: {lines[0][:300]}")
    expect_printable(result.err)


def expect_well_or_one_line(result: Result, *codes: int) -> bool:
    """Whether it ended well; if not, as `expect_one_line` has it."""
    if result.code:
        expect_one_line(result, *codes)
        return False
    expect("Traceback" not in result.err, result.err[-3000:])
    expect_printable(result.err)
    return True


def expect_printable(text: str) -> None:
    """Nothing that a terminal would obey."""
    found = CONTROLS.search(text)
    expect(found is None, f"found {found and found[0]!r} in {text[:500]!r}")


@contextmanager
def no_traceback_kept(folder: Path) -> Iterator[None]:
    """Files of tracebacks, which are of bugs alone, would come into this folder."""
    folder.mkdir(exist_ok=True)
    with patch.object(tempfile, "tempdir", str(folder)):
        yield
    left = [path.read_text(encoding="utf-8") for path in folder.glob("crmman-traceback-*")]
    expect(not left, f"tracebacks: {left}")
