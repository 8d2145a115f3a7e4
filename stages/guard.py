"""The one place where what stops a stage or a verb becomes a line on stderr and an exit code.

This module imports nothing heavy: `crmman --help` needs it.
"""

from __future__ import annotations

import errno
import io
import lzma
import os
import shutil
import signal
import sys
import tempfile
import threading
import time
import traceback
import zipfile
import zlib
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from pipeline.common.errors import InputError, MachineError, one_line, printable, without_secrets
from pipeline.common.files import FULL
from stages import INTERRUPTED, PARENT, stop_at_once

if TYPE_CHECKING:
    import typer

# Exit codes: of what the user can mend in parameters, tables or options; of the machine, or of a bug.
USER_MISTAKE, FAILED = 2, 1
# The last of the three handles that every process starts with.
STDERR = 2
# Of every command that it starts DVC says in the environment which stage it is.
STARTED_BY_DVC = "DVC_STAGE"
SHELLS = {"sh", "ash", "dash", "bash", "zsh", "ksh", "fish", "busybox"}
LOOK_EVERY_SECONDS = 1.0
# What is wrong with the path that was named, and not with the machine.
OF_A_PATH = {
    errno.EACCES,
    errno.EEXIST,
    errno.EISDIR,
    errno.ELOOP,
    errno.ENAMETOOLONG,
    errno.ENOENT,
    errno.ENOTDIR,
    errno.EPERM,
    errno.EROFS,
}


def show(text: str = "", *, error: bool = False, end: str = "\n") -> None:
    """Print text, which may hold anything that data have: what a terminal would obey is shown as an escape.

    Args:
        error: it is a message and goes to stderr, without what is secret in URLs. Ids and titles may be URLs, and stay whole on stdout.
    """
    print(
        printable(without_secrets(text) if error else text),
        file=sys.stderr if error else sys.stdout,
        end=end,
        flush=True,
    )


def guarded(action: Callable[[], Any]) -> None:
    """Run an action; whatever stops it is one line on stderr and an exit code.

    In Python's development mode (`PYTHONDEVMODE=1`) a bug shows its traceback; otherwise that is in a file, which the line names.
    """
    _open_what_is_closed()
    _speak_utf8()
    if signal.getsignal(signal.SIGINT) is stop_at_once:
        # From here on Ctrl-C is an exception, and what has been begun is cleared away.
        signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        action()
        if sys.stdout is not None:
            sys.stdout.flush()
    except SystemExit:
        raise
    except BrokenPipeError:
        # Whoever read our output (`| head`) has had enough.
        _give_up_stdout()
        raise SystemExit(FAILED) from None
    except KeyboardInterrupt:
        show("stopped", error=True)
        raise SystemExit(INTERRUPTED) from None
    except Exception as error:
        if _is_over_ctrl_c(error):
            show("stopped", error=True)
            raise SystemExit(INTERRUPTED) from None
        if isinstance(error, OSError) and error.filename is None:
            # It may have been stdout, and Python would try and fail once more when it exits.
            _give_up_stdout()
        text, code = said(error)
        if text is None:
            if sys.flags.dev_mode:
                raise
            text = of_a_bug(error)
        show(f"error: {one_line(text)}", error=True)
        raise SystemExit(code) from None


def _is_over_ctrl_c(error: BaseException | None) -> bool:
    """Whether Ctrl-C was the first thing to stop it: PyTorch's writer, which is stopped so, raises that its file is not whole."""
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__context__
    return error is not None


def run_app(app: typer.Typer, name: str | None = None, arguments: Sequence[str] | None = None) -> NoReturn:
    """Run a command line; what is wrong with its options is one line as well, with exit codes as everywhere.

    Args:
        name: what it is called in its help.
        arguments: of the command; None: those of the process.
    """
    import typer

    # Of every mistake in options and arguments; typer gives it no public name of its own.
    usage_error: type[Exception] = typer.BadParameter.__bases__[0]
    code = 0

    def run() -> None:
        nonlocal code
        try:
            given = None if arguments is None else list(arguments)
            code = typer.main.get_command(app).main(given, prog_name=name, standalone_mode=False) or 0
        except usage_error as error:
            raise InputError(error.format_message()) from None  # type: ignore[attr-defined]
        except typer.Abort:
            raise KeyboardInterrupt from None
        # What typer makes of Ctrl-C, by its version: this code, or an exception.
        if code == INTERRUPTED:
            raise KeyboardInterrupt

    guarded(run)
    raise SystemExit(code)


def end_with_dvc(name: str) -> None:
    """End this process when DVC, if that started it, has ended: the next `dvc repro` would start the stage once more beside it.

    What it leaves half-written the next one clears away, and goes on from its checkpoint.
    """
    if STARTED_BY_DVC not in os.environ:
        return

    def look() -> None:
        by = _started_by()
        while os.getppid() == PARENT and _started_by() == by:
            time.sleep(LOOK_EVERY_SECONDS)
        with suppress(OSError, ValueError):
            show(f"{name}: stopped, because DVC, which started it, has ended", error=True)
        os._exit(INTERRUPTED)

    threading.Thread(target=look, daemon=True).start()


def _started_by() -> int | None:
    """Who started the shell that started this process, if that was one: some stay, to wait for it, and outlive DVC."""
    import psutil

    try:
        parent = psutil.Process(PARENT)
        return parent.ppid() if parent.name() in SHELLS and "-c" in parent.cmdline() else None
    except psutil.Error:
        return None


def said(error: Exception) -> tuple[str | None, int]:
    """What to say of an error, and the exit code; None: it is a bug."""
    from ruamel.yaml.error import YAMLError

    if isinstance(error, InputError):
        return str(error), USER_MISTAKE
    if isinstance(error, MachineError):
        return str(error), FAILED
    if isinstance(error, OSError) and error.errno is not None:
        return _of_a_file(error), USER_MISTAKE if error.errno in OF_A_PATH and error.filename else FAILED
    if isinstance(error, MemoryError) or _is_torch_without_memory(error):
        return f"not enough memory: {str(error) or 'no more available'}", FAILED
    if isinstance(error, zipfile.BadZipFile | zlib.error | lzma.LZMAError | EOFError):
        return f"a compressed file is damaged: {error}", USER_MISTAKE
    if isinstance(error, YAMLError):
        return f"not valid YAML: {error}", USER_MISTAKE
    if isinstance(error, OverflowError):
        return f"found a number that is too large: {error}", USER_MISTAKE
    return None, FAILED


def _of_a_file(error: OSError) -> str:
    where = os.fsdecode(error.filename) if isinstance(error.filename, str | bytes) else "output"
    if error.errno not in FULL:
        return f"{where}: {error.strerror}"
    return f"{where}: cannot be written: {error.strerror}{_disk_of(Path(where))}"


def _disk_of(path: Path) -> str:
    """The disk that a path is on, and what is free there."""
    try:
        disk = path.absolute().parent
        while not disk.is_mount():
            disk = disk.parent
        return f" (the disk at {disk} has {shutil.disk_usage(disk).free / 1e6:.1f} MB free)"
    except OSError:
        return ""


def _is_torch_without_memory(error: Exception) -> bool:
    """PyTorch, which is not imported for this, has an error of its own on a GPU, and none on a CPU."""
    return type(error).__name__ == "OutOfMemoryError" or "can't allocate memory" in str(error)


def of_a_bug(error: Exception) -> str:
    place = traceback.extract_tb(error.__traceback__)[-1]
    found = f"{type(error).__name__}: {error} ({Path(place.filename).name}, line {place.lineno})"
    try:
        handle, name = tempfile.mkstemp(prefix="crmman-traceback-", suffix=".txt")
        with open(handle, "w", encoding="utf-8", errors="backslashreplace") as file:
            text = f"{sys.argv}\nPython {sys.version}\n\n{''.join(traceback.format_exception(error))}"
            file.write(without_secrets(text))
    except OSError:
        traceback.print_exception(error)
        name = "what is printed above"
    return f"this is a bug: {found}; please report it to whoever gave you crmman, with {name}"


def _speak_utf8() -> None:
    """Whatever the locale; what is no character is shown by its number."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")


def _open_what_is_closed() -> None:
    """Output that nobody wants (`>&-`, some cron) goes nowhere. Else the next file that is opened would get it, whoever writes it."""
    while (handle := os.open(os.devnull, os.O_RDWR)) <= STDERR:
        pass
    os.close(handle)
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115


def _give_up_stdout() -> None:
    """Python would write what is left of it when it exits, and fail once more."""
    with suppress(OSError, AttributeError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
