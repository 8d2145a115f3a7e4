"""A training by two real processes: one of them killed, and the same by torchrun as on two machines."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import psutil
import pytest

from pipeline.artifacts.users import MODEL, USERS_CURVE
from tests.stages.conftest import Finished
from tests.stages.workspace import EPOCHS, KEY, ROOT, Workspace, assert_a_mistake_in_one_line

VARIANT = "recommended"
OUTPUTS = [artifact.of(variant=VARIANT) for artifact in (MODEL, USERS_CURVE)]
ASKED = ("--dataset", KEY, "--variant", VARIANT)


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where processes that are started have their temporary files."""
    (tmp_path / "temporary").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    return tmp_path / "temporary"


def untrained(finished: Finished, root: Path, processes: int = 1) -> Workspace:
    copy = finished.workspace.copy(root)
    for artifact in OUTPUTS:
        artifact.at(KEY, root).unlink()
    copy.change_params(lambda values: values.update(train_processes=processes))
    return copy


def curve(workspace: Workspace) -> pl.DataFrame:
    return pl.read_csv(USERS_CURVE.of(variant=VARIANT).at(KEY, workspace.root), separator="\t")


def listening(processes: list[psutil.Process]) -> set[str]:
    return {
        connection.laddr.ip
        for one in processes
        for connection in one.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    }


def with_the_last_one_killed(workspace: Workspace) -> tuple[str, str]:
    """Train, and kill (SIGKILL) one of the processes when the first epochs are done; what is printed."""
    stage = workspace.start("train_users", *ASKED)
    assert stage.stdout is not None
    said, both = [], []
    for line in stage.stdout:
        said.append(line)
        if "epoch 1: loss" in line:
            both = psutil.Process(stage.pid).children()
        if "epoch 2: loss" in line:
            # At once, or it may be done before.
            both[-1].suspend()
            break
    assert [one.environ()["RANK"] for one in both] == ["0", "1"]
    assert listening(both) == {"127.0.0.1"}
    both[-1].kill()
    out, err = stage.communicate()
    assert stage.returncode == 0, err
    assert not any(one.is_running() for one in both)
    return "".join(said) + out, err


def by_torchrun(workspaces: list[Workspace]) -> list[str]:
    """Train on as many machines as there are workspaces, a process each; what is printed."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "GLOO_SOCKET_IFNAME": "lo"}
    machines = [
        subprocess.Popen(
            [
                *(
                    sys.executable,
                    "-m",
                    "torch.distributed.run",
                    "--nnodes",
                    str(len(workspaces)),
                    "--node-rank",
                    str(place),
                ),
                *("--master-addr", "127.0.0.1", "--master-port", str(port), "-m", "stages.train_users", *ASKED),
            ],
            cwd=workspace.root,
            env=environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        for place, workspace in enumerate(workspaces)
    ]
    printed = [machine.communicate() for machine in machines]
    assert [machine.returncode for machine in machines] == [0] * len(machines), printed
    return [out for out, _ in printed]


def test_two_processes_train_what_one_does_though_one_of_them_is_killed_and_torchrun_trains_the_same(
    finished: Finished, tmp_path: Path, temporary: Path
) -> None:
    killed = untrained(finished, tmp_path / "killed", processes=2)
    out, err = with_the_last_one_killed(killed)
    name = f"[{KEY}] train_users.{VARIANT}"
    again = "process 2 of 2 was killed (SIGKILL); all start again from the last epoch that was saved (1 of 3 times)"
    assert err == f"{name}: {again}\n"
    assert out.startswith(f"{name}: by 2 processes on this machine\n")
    assert out.count(f"{VARIANT}: continuing from the last epoch of a run that was stopped") == 1
    assert out.count(f"{name}: done in ") == 1
    # Nothing is left behind, and nothing is there that one process does not leave.
    assert list(temporary.iterdir()) == []
    assert killed.files().keys() == finished.files.keys()

    alone = curve(finished.workspace)
    assert curve(killed)["epoch"].to_list() == alone["epoch"].to_list() == list(range(1, EPOCHS + 1))
    # The first steps differ by rounding alone, of which the later ones make more.
    np.testing.assert_allclose(curve(killed)["loss"][:3], alone["loss"][:3], rtol=1e-4)

    machines = [untrained(finished, tmp_path / f"machine {place}") for place in range(2)]
    before = machines[1].files()
    first, second = by_torchrun(machines)
    assert first.startswith(f"{name}: by 2 processes, which torchrun has started\n")
    assert f"{name}: done in " in first
    assert second == ""
    # One number of processes, one model: whoever started them, and whoever was killed.
    assert machines[0].files() == killed.files()
    assert machines[1].files() == before


def test_a_number_of_processes_that_is_none_is_a_mistake(finished: Finished, tmp_path: Path) -> None:
    copy = untrained(finished, tmp_path / "copy", processes=0)
    assert_a_mistake_in_one_line(copy.run(f"train_users.{VARIANT}"), "params.yaml: train_processes: found 0, expected")
