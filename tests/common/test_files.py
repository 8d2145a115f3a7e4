from __future__ import annotations

import errno
import os
import resource
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pipeline.common.files import (
    TEMPORARY,
    clear_left_over,
    replacing,
    temporary_folder,
    write_bytes,
    write_users_file,
)

WRITERS = pytest.mark.parametrize("write", [write_bytes, write_users_file])


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """Writing more to any file fails, as on a full disk."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@WRITERS
def test_a_new_file_has_the_mode_of_any_new_file(tmp_path: Path, write: Callable[[Path, bytes], None]) -> None:
    before = os.umask(0o027)
    try:
        write(tmp_path / "new", b"abc")
    finally:
        os.umask(before)
    assert (tmp_path / "new").read_bytes() == b"abc"
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o640
    assert names(tmp_path) == ["new"]


@WRITERS
def test_what_cannot_be_written_changes_nothing_and_is_named(
    tmp_path: Path, write: Callable[[Path, bytes], None]
) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    with files_of_at_most(1000), pytest.raises(OSError, match="File too large") as error:
        write(path, bytes(5000))
    assert error.value.filename == str(path)
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["file"]


def test_what_a_broken_disk_does_not_take_is_named(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="Input/output error") as error, replacing(tmp_path / "file"):
        raise OSError(errno.EIO, os.strerror(errno.EIO))
    assert error.value.filename == str(tmp_path / "file")
    assert names(tmp_path) == []


@WRITERS
def test_a_folder_that_cannot_be_written_in_is_named_by_the_file(
    tmp_path: Path, write: Callable[[Path, bytes], None]
) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match=r"Not a directory|File exists") as error:
        write(tmp_path / "file" / "below", b"new")
    assert str(tmp_path / "file") in error.value.filename
    assert "crmman" not in str(error.value)


def test_an_error_of_another_file_keeps_its_name(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as error, replacing(tmp_path / "file") as file:
        file.write((tmp_path / "other").read_bytes())
    assert error.value.filename == str(tmp_path / "other")
    assert names(tmp_path) == []


def test_a_users_file_keeps_its_mode_and_its_links(tmp_path: Path) -> None:
    real = tmp_path / "real"
    real.mkdir()
    (real / "params").write_bytes(b"old")
    (real / "params").chmod(0o600)
    link, second = tmp_path / "link", tmp_path / "second"
    link.symlink_to("real/params")
    second.symlink_to(link)
    write_users_file(second, b"new")
    assert second.is_symlink()
    assert link.is_symlink()
    assert (real / "params").read_bytes() == b"new"
    assert (real / "params").stat().st_mode & 0o777 == 0o600
    assert names(real) == ["params"]


def test_a_users_file_keeps_its_owner(tmp_path: Path) -> None:
    if os.getuid() != 0:
        pytest.skip("only root may give files away")
    path = tmp_path / "params"
    path.write_bytes(b"old")
    os.chown(path, 12345, 12346)
    write_users_file(path, b"new")
    assert (path.stat().st_uid, path.stat().st_gid) == (12345, 12346)


def test_a_link_that_leads_nowhere_yet_leads_to_the_file_then(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("file")
    write_users_file(tmp_path / "link", b"new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "file").read_bytes() == b"new"


def test_links_in_a_circle_are_an_error(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(OSError, match="levels of symbolic links") as error:
        write_users_file(tmp_path / "a", b"new")
    assert error.value.errno == errno.ELOOP
    assert names(tmp_path) == ["a", "b"]


def test_a_folder_stays_one(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    for path in (tmp_path / "folder", tmp_path):
        with pytest.raises(IsADirectoryError):
            write_users_file(path, b"new")
    assert names(tmp_path) == ["folder"]


@pytest.mark.parametrize("linked", [False, True])
def test_a_fifo_is_written_into(tmp_path: Path, linked: bool) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    path = tmp_path / "link" if linked else fifo
    if linked:
        path.symlink_to(fifo)
    found: list[bytes] = []
    reader = threading.Thread(target=lambda: found.append(fifo.read_bytes()))
    reader.start()
    # More than a pipe holds at once.
    write_users_file(path, b"x" * 200_000)
    reader.join(10)
    assert found == [b"x" * 200_000]
    assert fifo.is_fifo()


def test_a_terminal_of_ones_own_is_written_into(tmp_path: Path) -> None:
    """The one character device that a test may have."""
    ours, theirs = os.openpty()
    try:
        (tmp_path / "link").symlink_to(os.ttyname(theirs))
        write_users_file(tmp_path / "link", b"to the terminal")
        assert os.read(ours, 100) == b"to the terminal"
        assert Path(os.ttyname(theirs)).is_char_device()
    finally:
        os.close(ours)
        os.close(theirs)


def test_an_open_file_of_the_process_is_added_to(tmp_path: Path) -> None:
    """As `--output /dev/stdout >> log`."""
    log = tmp_path / "log"
    log.write_bytes(b"before\n")
    with log.open("ab") as file:
        number = log.stat().st_ino
        write_users_file(Path(f"/dev/fd/{file.fileno()}"), b"after\n")
    assert log.read_bytes() == b"before\nafter\n"
    assert log.stat().st_ino == number


def test_an_artifact_replaces_a_link_and_not_what_it_leads_to(tmp_path: Path) -> None:
    """DVC's cache may be what it leads to."""
    (tmp_path / "cache").write_bytes(b"old")
    (tmp_path / "artifact").symlink_to("cache")
    write_bytes(tmp_path / "artifact", b"new")
    assert not (tmp_path / "artifact").is_symlink()
    assert (tmp_path / "cache").read_bytes() == b"old"


def writes_a_folder(path: Path, content: bytes) -> None:
    with temporary_folder(path) as folder:
        (folder / "inside").write_bytes(content)
        (folder / "inside").rename(path)


KILLED = """
import os, signal, sys
from pathlib import Path
from pipeline.common.files import replacing, temporary_folder
with {writer}(Path(sys.argv[1])):
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("writer", ["replacing", "temporary_folder"])
def test_what_a_writer_that_was_killed_leaves_is_cleared_and_what_one_still_writes_is_not(
    tmp_path: Path, writer: str
) -> None:
    below = tmp_path / "below"
    below.mkdir()
    (below / "other.part").write_bytes(b"mine")
    script = [sys.executable, "-c", KILLED.format(writer=writer), str(below / "artifact")]
    with replacing(below / "a") as file, temporary_folder(below / "b") as folder:
        file.write(b"whole")
        (folder / "inside").touch()
        held = set(below.glob(TEMPORARY))
        assert subprocess.run(script, check=False).returncode == -9
        (left,) = set(below.glob(TEMPORARY)) - held
        assert clear_left_over(tmp_path) == [left]
        assert (folder / "inside").exists()
    assert (below / "a").read_bytes() == b"whole"
    assert names(below) == ["a", "other.part"]


@pytest.mark.parametrize("writer", ["replacing", "temporary_folder"])
@pytest.mark.parametrize("write", [write_bytes, write_users_file, writes_a_folder])
def test_the_next_one_who_writes_there_clears_what_one_that_was_killed_left(
    tmp_path: Path, writer: str, write: Callable[[Path, bytes], None]
) -> None:
    """No stage does in a folder of downloads, beside params.yaml, or where somebody sends an answer."""
    (tmp_path / "below").mkdir()
    for others in (tmp_path / "other.part", tmp_path / ".crmman-other", tmp_path / "below" / ".crmman-1.part"):
        others.write_bytes(b"mine")
    script = [sys.executable, "-c", KILLED.format(writer=writer), str(tmp_path / "file")]
    assert subprocess.run(script, check=False).returncode == -9
    (left,) = tmp_path.glob(TEMPORARY)
    with replacing(tmp_path / "held") as file:
        assert not left.exists()
        assert subprocess.run(script, check=False).returncode == -9
        write(tmp_path / "file", b"new")
        file.write(b"whole")
    kept = [".crmman-other", "below", "file", "other.part"]
    assert names(tmp_path) == sorted([*kept, "held"])
    assert (tmp_path / "held").read_bytes() == b"whole"
    assert names(tmp_path / "below") == [".crmman-1.part"]


def test_a_link_with_such_a_name_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine").write_bytes(b"mine")
    (tmp_path / ".crmman-1.part").symlink_to("mine")
    assert clear_left_over(tmp_path) == []
    assert (tmp_path / "mine").read_bytes() == b"mine"


@pytest.mark.parametrize("file", [".gitignore", ".dvcignore"])
def test_git_and_dvc_look_past_such_names(file: str) -> None:
    root = Path(__file__).resolve().parents[2]
    assert TEMPORARY in (root / file).read_text().splitlines()
