"""A real cluster of two workers: the same bytes, workers that are killed, and what cannot be mended in one line.

Ray reads its environment when it is imported, and so no test module does that.
"""

from __future__ import annotations

import os
import signal
import socket
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psutil
import pytest

from pipeline.common.blocks import MapBlocks, in_turn
from pipeline.common.errors import InputError, MachineError
from stages.guard import said
from stages.shared import on_ray
from stages.shared.on_ray import cluster
from tests.engines.works import WORKS, killing, small_blocks

TEXTS = [f"block {number}" for number in range(12)]


@pytest.fixture(scope="module")
def temporary() -> Iterator[Path]:
    """Where Ray has its files. Its sockets allow no long path."""
    with tempfile.TemporaryDirectory(prefix="r", dir="/tmp") as name:
        yield Path(name)


@pytest.fixture(scope="module")
def on_two_workers(temporary: Path) -> Iterator[MapBlocks]:
    with ExitStack() as stack, small_blocks():
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(tempfile, "tempdir", str(temporary))
            map_blocks = stack.enter_context(cluster("local", "test", workers=2))
        yield map_blocks
    # Nothing is left behind.
    assert list(temporary.iterdir()) == []
    assert not [
        one
        for one in psutil.process_iter(["cmdline"])
        if any(str(temporary) in part for part in one.info["cmdline"] or [])
    ]


def upper(block: str) -> str:
    return block.upper()


def of_process(block: str) -> int:
    return os.getpid()


@pytest.mark.parametrize("name", WORKS)
def test_a_run_with_a_worker_killed_in_the_middle_gives_the_same_bytes(
    on_two_workers: MapBlocks, tmp_path: Path, name: str, capsys: Any
) -> None:
    expected = WORKS[name](tmp_path, in_turn)
    marker = tmp_path / "killed"
    capsys.readouterr()
    assert WORKS[name](tmp_path, killing(on_two_workers, marker, 2)) == expected
    assert marker.exists()
    told = capsys.readouterr().err.splitlines()
    assert 1 <= len(told) <= 2
    assert all("is tried again (1 of 3 times): its worker has died" in line for line in told)
    # And once more, where nobody is killed.
    assert WORKS[name](tmp_path, on_two_workers) == expected
    assert capsys.readouterr().err == ""


def test_workers_are_other_processes_and_blocks_come_back_in_their_order(on_two_workers: MapBlocks) -> None:
    assert list(on_two_workers(upper, TEXTS)) == [text.upper() for text in TEXTS]
    assert os.getpid() not in set(on_two_workers(of_process, TEXTS))


def test_it_listens_to_this_machine_alone(on_two_workers: MapBlocks, temporary: Path) -> None:
    us = psutil.Process()
    processes = [us, *us.children(recursive=True)]
    listening = {
        (connection.laddr.ip, one.name())
        for one in processes
        for connection in one.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    }
    assert listening
    assert {ip.removeprefix("::ffff:") for ip, _ in listening} == {"127.0.0.1"}, listening
    assert not (Path.home() / ".ray" / "auth_token").exists() or os.environ["RAY_AUTH_TOKEN"]


def mistaken(block: str) -> None:
    raise InputError(f"{block}: found a mistake")


def without_memory(block: str) -> None:
    raise MemoryError("Unable to allocate 8.00 TiB")


def dies(block: str) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def lacks(block: str) -> None:
    raise ModuleNotFoundError("No module named 'torch'")


def lost(block: str) -> None:
    """As Ray raises it where a worker asks for what all blocks share, and it is nowhere any more."""
    from ray.exceptions import ObjectLostError

    raise ObjectLostError("0" * 56, "", "")


@pytest.mark.parametrize(
    ("work", "kind", "line", "code"),
    [
        (lost, MachineError, "Ray: what all blocks share was lost: Failed to retrieve object 000", 1),
        (mistaken, InputError, "block 0: found a mistake", 2),
        (without_memory, MachineError, "a Ray worker does not have enough memory: Unable to allocate 8.00 TiB", 1),
        (lacks, MachineError, "a Ray worker lacks a package: No module named 'torch'", 1),
        (dies, MachineError, "Ray: block 1 of 1 was tried 2 times: its worker has died", 1),
    ],
)
def test_what_another_try_does_not_mend_is_one_line(
    on_two_workers: MapBlocks,
    work: Any,
    kind: type[Exception],
    line: str,
    code: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(on_ray, "TRIED_AGAIN", 1)
    with pytest.raises(kind) as found:
        list(on_two_workers(work, TEXTS[:1]))
    text, status = said(found.value)
    assert text is not None
    assert text.startswith(line)
    assert (text.count("\n"), status) == (0, code)


def test_a_worker_that_was_stopped_for_memory_and_a_result_that_was_lost_are_tried_again(
    on_two_workers: MapBlocks, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    """As Ray raises them: to bring a machine out of memory, or a whole one down, would take those of other tests along."""
    import ray

    get = on_ray.ray_get
    raised = [
        ray.exceptions.OutOfMemoryError("Task was killed due to the node running low on memory.\nMore."),
        ray.exceptions.ObjectLostError("0" * 56, "", ""),
        ray.exceptions.NodeDiedError("its node"),
    ]

    def fail_first(task: Any) -> Any:
        if raised:
            raise raised.pop()
        return get(task)

    monkeypatch.setattr(on_ray, "ray_get", fail_first)
    assert list(on_two_workers(upper, TEXTS)) == [text.upper() for text in TEXTS]
    told = capsys.readouterr().err
    assert told.count("is tried again") == 3
    for words in ("its worker has died", "its result was lost", "out of memory: Task was killed due to the node"):
        assert words in told
    assert "More." not in told


def test_workers_with_other_code_are_refused(on_two_workers: MapBlocks, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(on_ray, "_code", lambda: "another")
    with pytest.raises(
        MachineError, match=r"has other code of crmman in .* than this machine; expected the same version"
    ):
        list(on_two_workers(upper, TEXTS))


def test_blocks_that_nobody_asks_for_are_given_up(on_two_workers: MapBlocks) -> None:
    found = on_two_workers(upper, TEXTS)
    assert next(found) == "BLOCK 0"
    found.close()
    assert list(on_two_workers(upper, TEXTS[:2])) == ["BLOCK 0", "BLOCK 1"]


def test_a_cluster_that_is_not_there_is_one_line() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    with (
        pytest.raises(MachineError, match=f"ray_address: found {address}, but no Ray cluster answers there") as found,
        cluster(address, "test"),
    ):
        raise AssertionError("there is one")
    assert "\n" not in str(found.value)
