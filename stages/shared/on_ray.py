"""Blocks on the workers of a Ray cluster: the one module that knows Ray.

A task is one block, or a few that follow one another; what they share is sent to each machine once. Ray itself retries nothing here, as
it would not say so: a task whose worker has died, or whose result was lost, is given out again in this module, with a line, and a
few times at most.
"""

from __future__ import annotations

import logging
import os
import secrets
import socket
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

import pipeline
from pipeline.common.blocks import BlockT, MapBlocks, ResultT, Shown, bar_of
from pipeline.common.cores import cores_here
from pipeline.common.errors import InputError, MachineError
from pipeline.common.files import temporary_folder
from stages.guard import show

if TYPE_CHECKING:
    from ray import ObjectRef

# Where a cluster is: one for this process alone, or what Ray itself calls so: the one that runs on this machine.
STARTED, RUNNING = "local", "auto"
# Of a task: how often it is given out again.
TRIED_AGAIN = 3
# Tasks for each worker in all, so that none has much more to do than the others, and at once, so that none waits for the next one.
TASKS_PER_WORKER, AT_ONCE_PER_WORKER = 16, 2
CONNECT_SECONDS = 10
# Ray waits half a minute for its own processes, and those of a busy machine may take longer.
STARTS = 3
SILENT: dict[str, Any] = {"log_to_driver": False, "configure_logging": False, "logging_level": logging.ERROR}
# What Ray reads of the environment when it is imported. It tells nobody of its use, and prints nothing of its own: what there is to
# say of workers is said here.
QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_DEDUP_LOGS_SKIP_REGEX": ".",
    "RAY_IGNORE_UNHANDLED_ERRORS": "1",
    "RAY_SCHEDULER_EVENTS": "0",
}
# Of a cluster of this process: it listens on the loopback interface alone, and only to who has a token that it was given.
ALONE = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0", "RAY_AUTH_MODE": "token"}


@contextmanager
def cluster(address: str, name: str, gpu: bool = False, workers: int | None = None) -> Iterator[MapBlocks]:
    """A cluster, as somebody who works on blocks.

    Args:
        address: `STARTED`, `RUNNING`, or HOST:PORT.
        name: of what is done there, for messages.
        gpu: each block needs one.
        workers: of a cluster that is started; as many as there are cores if not given.

    Raises:
        InputError: Ray is not installed.
        MachineError: the cluster is not there, or does not do what it should.
    """
    os.environ.update(QUIET)
    if address == STARTED:
        # With less priority than this process workers would wait for all other work on this machine.
        os.environ.update(ALONE, RAY_worker_niceness=str(os.nice(0)))
        # Ray reads it once in a process.
        os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
    try:
        import ray
    except ImportError:
        raise InputError("engine: found ray, but Ray is not installed; run `pip install 'crmman[ray]'`") from None
    with ExitStack() as stack:
        if address == STARTED:
            folder = stack.enter_context(_short_folder())
            stack.callback(ray.shutdown)
            _start(folder, workers or cores_here())
        else:
            stack.callback(ray.shutdown)
            _join(address)
        resource = "GPU" if gpu else "CPU"
        found = int(ray.cluster_resources().get(resource, 0))
        if not found:
            raise MachineError(f"ray_address: found a cluster without a free {resource} at {address}, expected some")
        where = "started on this machine" if address == STARTED else f"at {address}"
        show(f"{name}: on Ray, {found} {'worker' if found == 1 else 'workers'} ({where})")
        yield _Cluster(name, found, {"num_cpus": 1, **({"num_gpus": 1} if gpu else {})})


def _start(folder: Path, workers: int) -> None:
    """
    Args:
        folder: for Ray's own files.

    Raises:
        MachineError: Ray does not start.
    """
    import ray

    before = set(psutil.Process().children())
    options = {"num_cpus": workers, "include_dashboard": False, "_temp_dir": str(folder)}
    for left in reversed(range(STARTS)):
        try:
            ray.init(STARTED, **SILENT, **options)
            return
        # Of no kind of its own, where it has waited for its processes.
        except Exception as error:
            ray.shutdown()
            for process in set(psutil.Process().children(recursive=True)) - before:
                with suppress(psutil.Error):
                    process.kill()
            if not left:
                raise MachineError(f"Ray could not be started on this machine: {_first_line(error)}") from None


def _join(address: str) -> None:
    """
    Raises:
        MachineError: there is no cluster that takes this process.
    """
    import ray

    host, _, port = address.rpartition(":")
    try:
        if address != RUNNING:
            # Ray itself would go on trying for a minute.
            socket.create_connection((host.strip("[]"), int(port)), CONNECT_SECONDS).close()
        ray.init(address, **SILENT)
    except Exception as error:
        where = "runs on this machine" if address == RUNNING else "answers there"
        raise MachineError(
            f"ray_address: found {address}, but no Ray cluster {where} ({_first_line(error)}); expected one that "
            "`ray start --head` has started, or local, by which each stage starts its own"
        ) from None


@contextmanager
def _short_folder() -> Iterator[Path]:
    """A folder for Ray's own files, gone afterwards; those of processes that were killed go as well.

    Ray puts sockets there, whose paths no system allows to be long.
    """
    folders = [Path(tempfile.gettempdir()), Path("/tmp")]
    folder = next((one for one in folders if len(os.fsencode(one)) <= 20 and one.is_dir()), folders[0])
    with temporary_folder(folder / "ray") as made:
        yield made


def _first_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__


class _Cluster:
    """A `MapBlocks`.

    Args:
        workers: how many there are.
        options: what a task needs, as Ray has it.
    """

    def __init__(self, name: str, workers: int, options: Mapping[str, Any]) -> None:
        import ray

        self._name, self._workers = name, workers
        # Its own errors tell this module what to do; Ray would try again in silence.
        self._task = ray.remote(max_retries=0, **options)(_done)

    def __call__(
        self, work: Callable[..., ResultT], blocks: Sequence[BlockT], *shared: Any, shown: Shown | None = None
    ) -> Iterator[ResultT]:
        import ray

        size = max(len(blocks) // (TASKS_PER_WORKER * self._workers), 1)
        tasks = [blocks[start : start + size] for start in range(0, len(blocks), size)]
        # In a list, as Ray would else hand each task a copy of its own.
        given = [ray.put((work, shared))]
        running: dict[ObjectRef, int] = {}
        found: dict[int, list[ResultT]] = {}
        tries = [0] * len(tasks)
        waiting, wanted = iter(range(len(tasks))), 0
        try:
            with bar_of(blocks, shown) as bar:
                while wanted < len(tasks):
                    while len(running) + len(found) < AT_ONCE_PER_WORKER * self._workers:
                        if (number := next(waiting, None)) is None:
                            break
                        running[self._task.remote(given, _code(), tasks[number])] = number
                    ready, _ = ray.wait(list(running), num_returns=1)
                    number = running.pop(ready[0])
                    try:
                        found[number] = self._result(ready[0])
                    except _LostError as lost:
                        tries[number] += 1
                        if tries[number] > TRIED_AGAIN:
                            raise MachineError(
                                f"Ray: block {number + 1} of {len(tasks)} was tried {tries[number]} times: {lost}"
                            ) from None
                        with bar.external_write_mode():
                            again = f"tried again ({tries[number]} of {TRIED_AGAIN} times)"
                            show(f"{self._name}: block {number + 1} of {len(tasks)} is {again}: {lost}", error=True)
                        running[self._task.remote(given, _code(), tasks[number])] = number
                        continue
                    bar.set_postfix_str(f"{self._workers} workers", refresh=False)
                    bar.update(sum(map(len, tasks[number])))
                    while wanted in found:
                        yield from found.pop(wanted)
                        wanted += 1
        finally:
            for left in running:
                ray.cancel(left, force=True)

    def _result(self, task: ObjectRef) -> list[Any]:
        """
        Raises:
            _LostError: the worker, its machine or the result is gone: another try may do.
            MachineError: another try would not.
        """
        from ray import exceptions

        try:
            results: list[Any] = ray_get(task)
        except exceptions.RayTaskError as error:
            raise _of_task(error) from None
        except exceptions.OutOfMemoryError as error:
            raise _LostError(
                f"its worker was stopped, because its machine is out of memory: {_first_line(error)}"
            ) from None
        except (exceptions.WorkerCrashedError, exceptions.NodeDiedError):
            raise _LostError("its worker has died") from None
        except exceptions.ObjectLostError:
            raise _LostError("its result was lost") from None
        except exceptions.RayError as error:
            raise MachineError(f"Ray: {type(error).__name__}: {_first_line(error)}") from None
        return results


def ray_get(task: ObjectRef) -> Any:
    import ray

    return ray.get(task)


class _LostError(Exception):
    """What another try may find."""


def _of_task(error: Any) -> Exception:
    """What a task raised, as it would be raised here."""
    from ray import exceptions

    cause = error.cause if isinstance(error.cause, Exception) else error
    if isinstance(cause, exceptions.ObjectLostError):
        return MachineError(f"Ray: what all blocks share was lost: {_first_line(cause)}")
    if isinstance(cause, MemoryError):
        return MachineError(f"a Ray worker does not have enough memory: {_first_line(cause)}")
    if isinstance(cause, ModuleNotFoundError):
        return MachineError(
            f"a Ray worker lacks a package: {_first_line(cause)}; expected the same packages on each machine as on this one"
        )
    return cause


def _done(given: Sequence[Any], code: str, blocks: Sequence[Any]) -> list[Any]:
    """A task: what comes of some blocks.

    Args:
        given: one, that leads to the work and to what is shared.
        code: of this project, as it is where the work comes from.
    """
    if _code() != code:
        raise MachineError(
            f"a Ray worker on {socket.gethostname()} has other code of crmman in {Path(pipeline.__file__).parent} than this machine; "
            "expected the same version on each"
        )
    work, shared = _shared(given[0])
    if (torch := sys.modules.get("torch")) is not None:
        torch.set_num_threads(1)
    return [work(block, *shared) for block in blocks]


_kept: dict[str, Any] = {}


def _shared(reference: ObjectRef) -> Any:
    """Read once by each worker, and kept until there is another."""
    import ray

    if reference.hex() not in _kept:
        _kept.clear()
        _kept[reference.hex()] = ray.get(reference)
    return _kept[reference.hex()]


@cache
def _code() -> str:
    """Changes with the code of this project."""
    digest = sha256()
    folder = Path(pipeline.__file__).parent
    for path in sorted(folder.rglob("*.py")):
        digest.update(path.relative_to(folder).as_posix().encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()
