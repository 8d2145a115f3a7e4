"""Files that are there whole or not at all, under whatever name, and what a writer that was killed leaves."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import stat
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

# What is being written, in the folder that it is for. .dvcignore and .gitignore know the pattern.
PREFIX, SUFFIX = ".crmman-", ".part"
TEMPORARY = f"{PREFIX}*{SUFFIX}"
# A path that leads through here is an open file of a process, such as /dev/stdout.
OPEN_FILES = "/proc"
# What the system says of a disk or a quota that is full, and of a file that is larger than is allowed.
FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
# As many links as Linux follows.
LINKS = 40


@contextmanager
def replacing(path: Path, *, sync: bool = False) -> Iterator[BinaryIO]:
    """A file to write to; when all is written, it comes in place of what had the name, with the permissions of any new file.

    A link is replaced, and not what it leads to: DVC links artifacts to its cache.

    Args:
        sync: not before the disk has it, so that a loss of power leaves the old file or the new one.

    Raises:
        OSError: it cannot be written; nothing has changed.
    """
    with _in_place_of(path, sync, None) as file:
        yield file


def write_bytes(path: Path, content: bytes) -> None:
    """As `replacing`; makes the folder if need be."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as file:
        file.write(content)


def write_users_file(path: Path, content: bytes) -> None:
    """Write a file that a user has named, or has written.

    A file keeps its mode and its owner, and a link stays: what it leads to is replaced. What is no regular file (a device, a
    FIFO, /dev/stdout) is written into.

    Raises:
        OSError: it cannot be written, or is a folder; a regular file has not changed.
    """
    target = _followed(path)
    try:
        found = os.stat(target)
    except FileNotFoundError:
        found = None
    if found is not None and stat.S_ISDIR(found.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if found is None or (stat.S_ISREG(found.st_mode) and not _is_open_file(target)):
        with _in_place_of(target, False, found) as file:
            file.write(content)
        return
    # At the end, where it has one: /dev/stdout may be a file that a shell adds to.
    with open(os.open(target, os.O_WRONLY | os.O_APPEND), "wb") as file:
        file.write(content)


@contextmanager
def temporary_folder(beside: Path) -> Iterator[Path]:
    """A folder beside a path, gone afterwards; an error of what is in it is one of the path."""
    try:
        temporary, handle = _locked_folder(beside.parent)
    except OSError as error:
        raise _of(beside, error) from None
    with temporary as name:
        try:
            yield Path(name)
        except OSError as error:
            if str(error.filename).startswith(name):
                raise _of(beside, error) from None
            raise
        finally:
            os.close(handle)


@contextmanager
def one_at_a_time(folder: Path) -> Iterator[None]:
    """Who reads files in a folder to write them anew: another one waits, or what one of the two has written would be lost."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        _lock(handle)
        yield
    finally:
        os.close(handle)


def clear_left_over(folder: Path) -> list[Path]:
    """Remove what writers that were killed have left in a folder and below it; who still writes holds a lock. What was removed."""
    # Not by `Path.rglob`, which fails where a folder goes meanwhile: DVC may be about to run another stage beside this one.
    below = (Path(at, name) for at, folders, files in os.walk(folder) for name in (*folders, *files))
    return _cleared(path for path in below if path.match(TEMPORARY))


def _cleared(left: Iterable[Path]) -> list[Path]:
    cleared = []
    for path in sorted(left):
        with suppress(OSError):
            handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if path.is_dir():
                    shutil.rmtree(path)
                else:
                    path.unlink()
                cleared.append(path)
            finally:
                os.close(handle)
    return cleared


@contextmanager
def _in_place_of(path: Path, sync: bool, like: os.stat_result | None) -> Iterator[BinaryIO]:
    """
    Args:
        like: whose mode and owner the file has; None: those of a new file.
    """
    try:
        handle, temporary = _locked_file(path.parent)
    except OSError as error:
        raise _of(path, error) from None
    try:
        with os.fdopen(handle, "wb") as file:
            if like is None:
                # mkstemp makes private files.
                umask = os.umask(0)
                os.umask(umask)
                os.fchmod(handle, 0o666 & ~umask)
            else:
                # Only root may give a file away.
                with suppress(PermissionError):
                    os.fchown(handle, like.st_uid, like.st_gid)
                os.fchmod(handle, stat.S_IMODE(like.st_mode))
            yield file
            file.flush()
            if sync:
                os.fsync(handle)
            # While it is locked, or it could be cleared away as left over.
            os.replace(temporary, path)
    except BaseException as error:
        Path(temporary).unlink(missing_ok=True)
        if isinstance(error, OSError) and (error.filename == temporary or _is_of_no_file(error)):
            raise _of(path, error) from None
        raise


def _is_of_no_file(error: OSError) -> bool:
    """A disk that is full or broken does not say what was being written to it."""
    return error.filename is None and error.errno in {*FULL, errno.EIO}


def _of(path: Path, error: OSError) -> OSError:
    """The error with the name that the file is to have: nobody knows the temporary one."""
    return OSError(error.errno, error.strerror, str(path))


def _locked_file(folder: Path) -> tuple[int, str]:
    """A new file in a folder; what earlier ones left there goes, for no stage clears the folders of a user's files or downloads."""
    _cleared(folder.glob(TEMPORARY))
    while True:
        handle, name = tempfile.mkstemp(dir=folder, prefix=PREFIX, suffix=SUFFIX)
        _lock(handle)
        # Between the two it may have been cleared away.
        if os.fstat(handle).st_nlink:
            return handle, name
        os.close(handle)


def _locked_folder(folder: Path) -> tuple[tempfile.TemporaryDirectory[str], int]:
    """As `_locked_file`."""
    _cleared(folder.glob(TEMPORARY))
    while True:
        made = tempfile.TemporaryDirectory(dir=folder, prefix=PREFIX, suffix=SUFFIX)
        with suppress(FileNotFoundError):
            handle = os.open(made.name, os.O_RDONLY)
            _lock(handle)
            if Path(made.name).is_dir():
                return made, handle
            os.close(handle)


def _lock(handle: int) -> None:
    # Where a file system has no locks nothing is cleared either.
    with suppress(OSError):
        fcntl.flock(handle, fcntl.LOCK_EX)


def _followed(path: Path) -> Path:
    """Where links lead; an open file of a process stays one."""
    for _ in range(LINKS):
        if not path.is_symlink() or _is_open_file(path):
            return path
        path = path.parent / os.readlink(path)
    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(path))


def _is_open_file(path: Path) -> bool:
    return OPEN_FILES in map(str, path.parent.resolve().parents)
