"""A fault at the n-th step of what a program writes: a full disk, a kill, the keyboard.

Steps are those of Python's own calls: to open a file for writing, to write into it, to flush it to the disk, to move, to make a folder.
"""

from __future__ import annotations

import builtins
import errno
import io
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

WRITING = os.O_WRONLY | os.O_RDWR
READING = {"open", "os.listdir", "os.scandir"}
EVENTS = {"os.rename", "os.mkdir", "tempfile.mkstemp", "tempfile.mkdtemp"}


class Steps:
    """
    Args:
        fault: called at the step of this number, from 1, with the name of a file if the step has one; 0: at none.

    Attributes:
        done: how many there were.
        writes: the numbers of those that write what is in a file.
        seconds: how long all took, once it is over.
    """

    def __init__(self, number: int = 0, fault: Callable[[str | None], None] = lambda _: None) -> None:
        self.number, self.fault, self.done = number, fault, 0
        self.writes: list[int] = []
        self.seconds = 0.0

    def step(self, name: str | None = None) -> None:
        self.done += 1
        if self.done == self.number:
            self.fault(name)


class _Writer(io.BufferedWriter):
    """Every write is a step; at that of the fault half of it is written, and the rest if it goes on after that."""

    steps: Steps

    def write(self, content: Any, /) -> int:
        whole, written = memoryview(content).cast("B"), 0
        if self.steps.done + 1 == self.steps.number:
            written = super().write(whole[: len(whole) // 2])
            super().flush()
        self.steps.writes.append(self.steps.done + 1)
        self.steps.step()
        return written + super().write(whole[written:])


_active: list[Steps] = []
_denied: list[Path] = []
_hooked = False


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    if _denied and event in READING and isinstance(arguments[0], str | os.PathLike):
        path = Path(arguments[0]).absolute()
        if any(each in (path, *path.parents) for each in _denied):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), os.fspath(arguments[0]))
    if not _active:
        return
    if event == "open":
        path, mode, flags = arguments
        if (flags or 0) & WRITING or (isinstance(mode, str) and set(mode) & set("wax+")):
            _at(path)
    elif event in EVENTS:
        _at(arguments[0])


def _at(path: Any) -> None:
    name = os.fspath(path) if isinstance(path, str | bytes | os.PathLike) else None
    text = os.fsdecode(name) if name is not None else None
    # What is read from, and devices, is not written to a disk.
    if text is None or not text.startswith("/dev/"):
        _active[-1].step(text)


@contextmanager
def unreadable(path: Path) -> Iterator[None]:
    """Within it nobody may read a file, or what is in a folder; not root either."""
    _hook()
    _denied.append(path)
    try:
        yield
    finally:
        _denied.remove(path)


def _hook() -> None:
    global _hooked
    if not _hooked:
        # Nobody can take it away again; it does nothing where nothing is to fail.
        sys.addaudithook(_audit)
        _hooked = True


@contextmanager
def injected(steps: Steps) -> Iterator[Steps]:
    """Within it what is written goes step by step."""
    _hook()
    before, fsync = open, os.fsync

    # What `os.fdopen` and `pathlib` open comes through here as well.
    def opened(file: Any, mode: str = "r", buffering: int = -1, *arguments: Any, **named: Any) -> Any:
        if not set(mode) & set("wax") or "+" in mode or not buffering or str(file).startswith("/dev/"):
            return before(file, mode, buffering, *arguments, **named)
        handle = before(file, mode.replace("t", "").replace("b", "") + "b", 0, closefd=named.pop("closefd", True))
        writer = _Writer(handle)
        writer.steps = steps
        return writer if "b" in mode else io.TextIOWrapper(writer, *arguments, **named)

    def synced(handle: int) -> None:
        steps.step()
        fsync(handle)

    with ExitStack() as stack:
        stack.enter_context(patch.object(builtins, "open", opened))
        stack.enter_context(patch.object(io, "open", opened))
        stack.enter_context(patch.object(os, "fsync", synced))
        _active.append(steps)
        stack.callback(_active.pop)
        start = time.monotonic()
        yield steps
        steps.seconds = time.monotonic() - start


def full_disk(number: int) -> Callable[[str | None], None]:
    """An error of the system by its number, with the name of the file where the system would say it."""

    def fault(name: str | None) -> None:
        raise OSError(number, os.strerror(number), *([name] if name is not None else []))

    return fault


def killed(_: str | None) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def interrupted(_: str | None) -> None:
    raise KeyboardInterrupt


FULL = (errno.ENOSPC, errno.EDQUOT, errno.EIO)
