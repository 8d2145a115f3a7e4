"""Training by several processes: the one module that knows torch.distributed.

On one machine the stage starts them itself (`train_processes`). torchrun would start a user's mistake again as well as a process that was
killed, says so in a page of its own, and listens on all interfaces; these meet by a file and talk on the loopback interface.
On several machines torchrun starts them, and a stage that finds itself among them (RANK and WORLD_SIZE in its environment) joins.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, TypeVar

from pipeline.common.blocks import BlockT, ResultT, Shown, bar_of
from pipeline.common.errors import InputError, MachineError
from pipeline.common.files import temporary_folder
from pipeline.common.processes import ALONE, Processes
from stages import INTERRUPTED, PARENT
from stages.guard import LOOK_EVERY_SECONDS, STARTED_BY_DVC, USER_MISTAKE, of_a_bug, said, show

if TYPE_CHECKING:
    import torch

MadeT = TypeVar("MadeT")

# How often all start again where one of them has died: from the last epoch that was kept.
TRIED_AGAIN = 3
# Who waits for the others at the start, and for one of them in the middle of a step.
CONNECT_SECONDS, STEP_SECONDS = 60, 1800
# For the others to see that one of them is gone, before they are ended; and for one that is told to end.
SEE_SECONDS, END_SECONDS = 5, 5
LOOK_SECONDS = 0.1
# Exit code of a process that has lost another one: that one tells why. EX_TEMPFAIL, as mail programs have it.
LOST = 75
# The folder of those that a stage started: they meet there, and leave what has stopped them.
FOLDER = "CRMMAN_TRAINING_FOLDER"


def by_processes(number: int, name: str, device: str, work: Callable[[Processes], None]) -> None:
    """Do a stage's work in this process, or in several that this one starts and waits for.

    Args:
        number: of processes on this machine.
        name: of the work, for messages.
        device: the setting.
        work: it is done in each process, by the stage's own command line.

    Raises:
        InputError: more processes than GPUs, or a user's mistake that one of them found.
        MachineError: they do not find or lose one another, more often than they are started again.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) > 1 and "RANK" in os.environ:
        _join_in(name, device, work)
    elif number == 1:
        work(ALONE)
    else:
        _start(number, name)


def _start(number: int, name: str) -> None:
    show(f"{name}: by {number} processes on this machine")
    for left in reversed(range(TRIED_AGAIN + 1)):
        with temporary_folder(Path(tempfile.gettempdir()) / "training") as folder:
            lost = _run(number, folder)
        if lost is None:
            return
        if not left:
            raise MachineError(f"{lost}, and all {number} were started {TRIED_AGAIN} times again")
        again = f"all start again from the last epoch that was saved ({TRIED_AGAIN + 1 - left} of {TRIED_AGAIN} times)"
        show(f"{name}: {lost}; {again}", error=True)


def _run(number: int, folder: Path) -> str | None:
    """Start them and wait until all have ended.

    Returns:
        What another try may mend; None: all is done.

    Raises:
        InputError: what one of them raised, MachineError likewise.
    """
    started: list[subprocess.Popen[bytes]] = []
    with _stopped_by_sigterm():
        try:
            started.extend(_process(place, number, folder) for place in range(number))
            while None in (codes := [one.poll() for one in started]) and not any(codes):
                time.sleep(LOOK_SECONDS)
            if any(codes):
                _wait(started, SEE_SECONDS)
                codes = [one.poll() for one in started]
        finally:
            _end(started)
    for told in sorted(folder.glob("error-*")):
        text, code = json.loads(told.read_text())
        raise (InputError if code == USER_MISTAKE else MachineError)(text)
    failed = {place: code for place, code in enumerate(codes) if code not in (0, None, LOST)}
    if not failed:
        return None if not any(codes) else "processes of the training have lost contact"
    place, code = next(iter(failed.items()))
    who = f"process {place + 1} of {number}"
    if code > 0:
        raise MachineError(f"{who} has ended with exit code {code}")
    return f"{who} was killed ({signal.Signals(-code).name})"


def _process(place: int, number: int, folder: Path) -> subprocess.Popen[bytes]:
    """This stage once more, as one of the processes."""
    spec = sys.modules["__main__"].__spec__
    assert spec is not None
    # This process ends with DVC, and they with this one.
    environment = {name: value for name, value in os.environ.items() if name != STARTED_BY_DVC}
    environment |= {"RANK": str(place), "LOCAL_RANK": str(place), "WORLD_SIZE": str(number), FOLDER: str(folder)}
    if (loopback := _loopback()) is not None:
        environment |= dict.fromkeys(("GLOO_SOCKET_IFNAME", "NCCL_SOCKET_IFNAME"), loopback)
    # What it has to say it leaves in the folder. Ctrl-C reaches this process alone, which ends them.
    quiet = subprocess.DEVNULL if place else None
    return subprocess.Popen(
        [sys.executable, "-m", spec.name, *sys.argv[1:]],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=quiet,
        stderr=quiet,
        start_new_session=True,
    )


def _loopback() -> str | None:
    """The name of the interface, where the system tells."""
    import psutil

    addresses = psutil.net_if_addrs().items()
    return next((name for name, those in addresses if any(one.address == "127.0.0.1" for one in those)), None)


def _wait(started: Sequence[subprocess.Popen[bytes]], seconds: float) -> None:
    until = time.monotonic() + seconds
    for one in started:
        with suppress(subprocess.TimeoutExpired):
            one.wait(max(until - time.monotonic(), 0))


def _end(started: Sequence[subprocess.Popen[bytes]]) -> None:
    for one in started:
        if one.poll() is None:
            one.terminate()
    _wait(started, END_SECONDS)
    for one in started:
        if one.poll() is None:
            one.kill()
            one.wait()


@contextmanager
def _stopped_by_sigterm() -> Iterator[None]:
    """Which otherwise would end this process without what it has to do before that."""

    def stop(number: int, _: FrameType | None) -> None:
        raise SystemExit(128 + number)

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _join_in(name: str, device: str, work: Callable[[Processes], None]) -> None:
    folder = os.environ.get(FOLDER)
    if folder is None:
        _work_in_a_group(name, device, None, work)
        return
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        _work_in_a_group(name, device, Path(folder), work)
    except _LostError:
        raise SystemExit(LOST) from None
    except Exception as error:
        text, code = said(error)
        told = Path(folder) / f"error-{os.environ['RANK']}"
        told.write_text(json.dumps([text or of_a_bug(error), code]))
        raise SystemExit(code) from None
    # The process that started this one says what there is to say of a stage.
    raise SystemExit(0)


def _end_with_parent() -> None:
    while os.getppid() == PARENT:
        time.sleep(LOOK_EVERY_SECONDS)
    os._exit(INTERRUPTED)


def _work_in_a_group(name: str, device: str, folder: Path | None, work: Callable[[Processes], None]) -> None:
    place, number = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    if place:
        # The first one says it.
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115
    elif folder is None:
        show(f"{name}: by {number} processes, which torchrun has started")
    with _group(place, number, device, folder) as processes:
        work(processes)
    if place:
        raise SystemExit(0)


@contextmanager
def _group(place: int, number: int, device: str, folder: Path | None) -> Iterator[Processes]:
    """
    Raises:
        InputError: fewer GPUs than processes.
        MachineError: the others are not there.
    """
    import torch
    from torch import distributed
    from torch.distributed.rendezvous import rendezvous

    # `cuda` where there is none is refused where tensors are placed.
    cuda = device != "cpu" and torch.cuda.is_available()
    if cuda:
        here, found = int(os.environ.get("LOCAL_RANK", "0")), torch.cuda.device_count()
        if here >= found:
            raise InputError(
                f"train_processes: found process {here + 1} on this machine, where PyTorch sees {found} CUDA devices; "
                "expected one for each"
            )
        torch.cuda.set_device(here)
    where = f"file://{folder / 'meeting'}" if folder else "env://"
    try:
        store = next(rendezvous(where, place, number, timeout=timedelta(seconds=CONNECT_SECONDS)))[0]
        store.set_timeout(timedelta(seconds=CONNECT_SECONDS))
        distributed.init_process_group(
            "nccl" if cuda else "gloo",
            store=store,
            rank=place,
            world_size=number,
            timeout=timedelta(seconds=STEP_SECONDS),
        )
    # Of the store, the network, or what the environment lacks; all are one of these.
    except (RuntimeError, ValueError) as error:
        meeting = (
            f"at {os.environ.get('MASTER_ADDR')}:{os.environ.get('MASTER_PORT')}" if folder is None else "by a file"
        )
        raise MachineError(
            f"training by {number} processes: process {place + 1} on {socket.gethostname()} looked for the others {meeting} and did not "
            f"find them in {CONNECT_SECONDS} s ({_first_line(error)})"
        ) from None
    try:
        yield _Group(place, number)
    finally:
        distributed.destroy_process_group()


class _LostError(MachineError):
    """Another process is gone."""


@contextmanager
def _with_the_others() -> Iterator[None]:
    """
    Raises:
        _LostError: what all processes do together fails.
    """
    try:
        yield
    except RuntimeError as error:
        raise _LostError(f"another process of the training is gone ({_first_line(error)})") from None


def _first_line(error: BaseException) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)


class _Group:
    """`Processes` of torch.distributed."""

    def __init__(self, place: int, number: int) -> None:
        self.place, self.number = place, number

    def add_up(self, numbers: torch.Tensor) -> None:
        from torch import distributed

        with _with_the_others():
            distributed.all_reduce(numbers)

    def of_first(self, make: Callable[[], MadeT]) -> MadeT:
        from torch import distributed

        made: list[Any] = [None if self.place else make()]
        with _with_the_others():
            distributed.broadcast_object_list(made)
        return made[0]  # type: ignore[no-any-return]

    def map_blocks(
        self, work: Callable[..., ResultT], blocks: Sequence[BlockT], *shared: Any, shown: Shown | None = None
    ) -> Iterator[ResultT]:
        """A `MapBlocks`: in rounds of a block for each process."""
        from torch import distributed

        with bar_of(blocks, None if self.place else shown) as bar:
            for start in range(0, len(blocks), self.number):
                at_once = blocks[start : start + self.number]
                mine = work(at_once[self.place], *shared) if self.place < len(at_once) else None
                found: list[Any] = [None] * self.number
                with _with_the_others():
                    distributed.all_gather_object(found, mine)
                for block, one in zip(at_once, found, strict=False):
                    bar.update(len(block))
                    yield one
