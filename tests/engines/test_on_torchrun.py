"""Who starts the processes of a training and waits for them: what they do there is small and needs no PyTorch.

A whole training by two processes is in `tests/stages/test_processes.py`.
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
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from pipeline.common.errors import InputError, MachineError
from pipeline.common.processes import ALONE, Alone
from stages.guard import said
from stages.shared import on_torchrun
from stages.shared.on_torchrun import by_processes
from stages.shared.training import the_same
from tests.repository import ROOT

NAME = "[d] train_users.v"
KILLED = "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
LOSES = f"import sys; sys.exit({on_torchrun.LOST})"
WAITS = "import time; time.sleep(600)"
Script = Callable[[int, int], str]


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def doing(monkeypatch: pytest.MonkeyPatch, script: Script) -> list[subprocess.Popen[bytes]]:
    """Processes are these scripts, by which time they are started and their place."""
    started: list[subprocess.Popen[bytes]] = []

    def process(place: int, number: int, folder: Path) -> subprocess.Popen[bytes]:
        text = script(len(started) // number, place)
        started.append(subprocess.Popen([sys.executable, "-c", text, str(folder / f"error-{place}")]))
        return started[-1]

    monkeypatch.setattr(on_torchrun, "_process", process)
    monkeypatch.setattr(on_torchrun, "SEE_SECONDS", 0.5)
    return started


def never(_: object) -> None:
    raise AssertionError("this process has work of its own")


def test_one_process_does_the_work_itself() -> None:
    done: list[object] = []
    by_processes(1, NAME, "cpu", done.append)
    assert done == [ALONE]


def test_all_start_again_when_one_was_killed_and_a_line_says_so(
    monkeypatch: pytest.MonkeyPatch, temporary: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The first time one is killed and the others wait for it; the second time one loses the others; then all goes well."""
    first = {0: WAITS, 1: KILLED, 2: LOSES}
    second = {0: LOSES, 1: LOSES, 2: LOSES}
    started = doing(monkeypatch, lambda time, place: [first, second, {}][time].get(place, "pass"))
    by_processes(3, NAME, "cpu", never)
    out, err = capsys.readouterr()
    assert out == f"{NAME}: by 3 processes on this machine\n"
    assert err.splitlines() == [
        f"{NAME}: process 2 of 3 was killed (SIGKILL); all start again from the last epoch that was saved (1 of 3 times)",
        f"{NAME}: processes of the training have lost contact; all start again from the last epoch that was saved (2 of 3 times)",
    ]
    assert len(started) == 9
    assert all(one.returncode is not None for one in started)
    assert list(temporary.iterdir()) == []


TELLS = "import sys; open(sys.argv[1], 'w').write({told!r}); sys.exit({code})"


@pytest.mark.parametrize(
    ("script", "kind", "line", "code", "tries"),
    [
        (KILLED, MachineError, "process 2 of 2 was killed (SIGKILL), and all 2 were started 3 times again", 1, 4),
        (TELLS.format(told=json.dumps(["a: found b", 2]), code=2), InputError, "a: found b", 2, 1),
        (TELLS.format(told=json.dumps(["no memory", 1]), code=1), MachineError, "no memory", 1, 1),
        ("import sys; sys.exit(3)", MachineError, "process 2 of 2 has ended with exit code 3", 1, 1),
    ],
    ids=["killed each time", "a mistake", "of the machine", "without a word"],
)
def test_what_another_try_does_not_mend_is_one_line(
    monkeypatch: pytest.MonkeyPatch,
    temporary: Path,
    script: str,
    kind: type[Exception],
    line: str,
    code: int,
    tries: int,
) -> None:
    started = doing(monkeypatch, lambda _, place: script if place else LOSES)
    with pytest.raises(kind) as found:
        by_processes(2, NAME, "cpu", never)
    assert said(found.value) == (line, code)
    assert len(started) == 2 * tries
    assert list(temporary.iterdir()) == []


def test_who_is_told_to_end_ends_them_first(monkeypatch: pytest.MonkeyPatch, temporary: Path) -> None:
    started = doing(monkeypatch, lambda _, place: WAITS if place else f"import os; os.kill({os.getpid()}, 15); {WAITS}")
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(SystemExit) as end:
        by_processes(2, NAME, "cpu", never)
    assert end.value.code == 128 + signal.SIGTERM
    assert [one.returncode for one in started] == [-signal.SIGTERM] * 2
    assert signal.getsignal(signal.SIGTERM) is before
    assert list(temporary.iterdir()) == []


IDLE = """
import os, threading, time
from stages.shared.on_torchrun import _end_with_parent
threading.Thread(target=_end_with_parent, daemon=True).start()
print(os.getpid(), flush=True)
time.sleep(60)
"""


def test_a_process_ends_with_the_one_that_started_it() -> None:
    starts = "import subprocess, sys; subprocess.run([sys.executable, '-c', sys.argv[1]])"
    with subprocess.Popen([sys.executable, "-c", starts, IDLE], cwd=ROOT, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        started = psutil.Process(int(parent.stdout.readline()))
        parent.kill()
        psutil.wait_procs([started], timeout=60)
    assert not started.is_running() or started.status() == psutil.STATUS_ZOMBIE


def test_others_that_are_not_there_are_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    of_torchrun = {"RANK": "1", "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    for name, value in of_torchrun.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(on_torchrun, "CONNECT_SECONDS", 1)
    monkeypatch.setattr(sys, "stdout", sys.stdout)
    with pytest.raises(MachineError) as found:
        by_processes(1, NAME, "cpu", never)
    line = str(found.value)
    assert line.startswith("training by 2 processes: process 2 on ")
    assert f" looked for the others at 127.0.0.1:{port} and did not find them in 1 s (" in line
    assert "\n" not in line


def test_a_process_without_a_gpu_of_its_own_is_a_mistake(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 1)
    monkeypatch.setattr(sys, "stdout", sys.stdout)
    for name, value in {"RANK": "1", "LOCAL_RANK": "1", "WORLD_SIZE": "2"}.items():
        monkeypatch.setenv(name, value)
    expected = (
        "train_processes: found process 2 on this machine, where PyTorch sees 1 CUDA devices; expected one for each"
    )
    with pytest.raises(InputError, match=expected):
        by_processes(2, NAME, "auto", never)


def test_blocks_are_shared_out_and_all_processes_get_all_results_in_their_order(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Three processes as threads, in rounds: at the end of each, all have what each of them found."""
    number, meeting, round_of = 3, threading.Barrier(3, timeout=60), {}

    def all_gather_object(found: list[object], mine: object) -> None:
        place = int(threading.current_thread().name)
        round_of[place] = mine
        meeting.wait()
        found[:] = [round_of[each] for each in range(number)]
        meeting.wait()

    monkeypatch.setattr("torch.distributed.all_gather_object", all_gather_object)
    done: dict[int, list[str]] = {place: [] for place in range(number)}
    results: dict[int, list[str]] = {}

    def run(place: int) -> None:
        def work(block: str, more: str) -> str:
            done[place].append(block)
            return block + more

        results[place] = list(on_torchrun._Group(place, number).map_blocks(work, list("abcdefgh"), "!"))

    threads = [threading.Thread(target=run, args=(place,), name=str(place)) for place in range(number)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert list(results.values()) == [[f"{block}!" for block in "abcdefgh"]] * number
    assert done == {0: ["a", "d", "g"], 1: ["b", "e", "h"], 2: ["c", "f"]}


def test_another_machine_with_other_settings_artifacts_or_code_is_refused() -> None:
    assert the_same("mine", ALONE) == "mine"
    other = Alone()
    other.place, other.number, other.of_first = 1, 2, lambda make: "theirs"  # type: ignore[method-assign, assignment, return-value]
    with pytest.raises(
        MachineError, match=r"process 2 of 2 on \S+ has other settings, artifacts or code than the first"
    ):
        the_same("mine", other)


def test_no_other_module_knows_who_trains_together() -> None:
    knows = [
        str(path.relative_to(ROOT))
        for folder in ("pipeline", "stages")
        for path in (ROOT / folder).rglob("*.py")
        if "torch.distributed" in path.read_text() or "from torch import distributed" in path.read_text()
    ]
    assert knows == ["stages/shared/on_torchrun.py"]
