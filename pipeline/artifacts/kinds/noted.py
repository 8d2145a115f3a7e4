"""What DVC has noted in its locks of the files that stages wrote, so that another version in the place of one is found.

A seal tells which artifact a file is and what it was made of, and not by which settings. Of a file that goes with all that is read
beside it, or that is read alone, only a note can tell that it is not the one that its stage wrote last. DVC compares by itself before it
runs a stage; who runs one by hand, or by `dvc repro --single-item`, may have put something else there.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import NamedTuple

from pipeline.common.errors import InputError

LOCKS = (Path("dvc.lock"), Path("ablations") / "dvc.lock")
# As DVC writes them. To read all of it as YAML takes longer than some stages.
STAGE = re.compile(r"^  (\S.*):$", re.MULTILINE)
OUTPUTS = "\n    outs:\n"
FILE = re.compile(r"^    - path: (.+)\n      hash: md5\n      md5: '?([0-9a-f]{32})'?$", re.MULTILINE)


class Note(NamedTuple):
    """
    Attributes:
        md5: of a file, in hexadecimal.
        stage: that wrote it, as DVC is told of it.
        lock: the file that has the note.
    """

    md5: str
    stage: str
    lock: Path


# By the name of an artifact.
_notes: ContextVar[dict[str, Note] | None] = ContextVar("notes", default=None)


@contextmanager
def as_noted(folder: Path = Path()) -> Iterator[None]:
    """Within it, what is read must be what DVC has noted of it, if it has noted anything.

    Args:
        folder: with DVC's files.
    """
    before = _notes.set(notes_in(folder))
    try:
        yield
    finally:
        _notes.reset(before)


def check(name: str, content: bytes, path: Path) -> None:
    """
    Raises:
        InputError: it is another content than is noted.
    """
    note = (_notes.get() or {}).get(name)
    if note and hashlib.md5(content, usedforsecurity=False).hexdigest() != note.md5:
        raise InputError(
            f"{path}: found another version than {note.lock} has of it; run `dvc repro`, which makes it again, "
            f"or `dvc commit {note.stage}` to keep this one"
        )


def has(name: str) -> bool:
    """Whether DVC has noted a file, of which its cache then has a copy."""
    return name in (_notes.get() or {})


def forget(name: str) -> None:
    """What is written now is another version, and the right one."""
    (_notes.get() or {}).pop(name, None)


def notes_in(folder: Path) -> dict[str, Note]:
    """By path, of all outputs that are files; of those in a folder that is an output as a whole there is none."""
    notes = {}
    for lock in LOCKS:
        if not (folder / lock).is_file():
            continue
        _, *parts = STAGE.split((folder / lock).read_text(encoding="utf-8", errors="replace"))
        of_file = "" if lock.parent == Path() else f"{lock.with_suffix('.yaml')}:"
        for stage, content in zip(parts[::2], parts[1::2], strict=True):
            for path, md5 in FILE.findall(content.partition(OUTPUTS)[2]):
                notes[path.strip("'\"")] = Note(md5, f"{of_file}{stage}", lock)
    return notes
