"""Stages that something stops at any step of their writing, or at any moment: a full disk, the keyboard, a kill, a second one."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Sequence
from multiprocessing import forkserver, get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any
from unittest.mock import patch

from hypothesis import strategies as st

from pipeline.common.files import clear_left_over
from tests.artifacts.test_seal import WRITES
from tests.common.test_files import files_of_at_most
from tests.faults.campaign import Draw
from tests.faults.injected import FULL, Steps, full_disk, injected, interrupted, killed
from tests.faults.outcome import FaultError, expect, expect_one_line, expect_well_or_one_line
from tests.faults.world import Sandbox, World, outputs_of
from tests.in_process import Result
from tests.stages.workspace import ABLATION, ALL_RUNS, REFITTED, VARIANTS, Workspace

# Each in a second or so; `make faults` takes the others as well.
QUICK = tuple(
    run for run in ALL_RUNS if run.split(".")[0] not in ("embed_text", "report", "train_users", "evaluate_baselines")
)
TRAININGS = (*(f"train_users.{name}" for name in (*VARIANTS, ABLATION)), f"refit.{REFITTED}")
PATIENCE_SECONDS = 300
# Of a process that was killed.
KILLED = -signal.SIGKILL


def steps_of(run: str) -> Callable[[World], Steps]:
    """The steps of writing that a run has."""

    def count(world: World) -> Steps:
        sandbox = world.sandbox("steps")
        with sandbox.trial(), injected(Steps()) as steps:
            sandbox.run(run)
        return steps

    return count


_STEPS = {run: steps_of(run) for run in ALL_RUNS}


def step_of(world: World, draw: Draw, run: str) -> int:
    """A step of a run's writing."""
    return _one_of(world.once(_STEPS[run]), draw)


def _one_of(steps: Steps, draw: Draw) -> int:
    """A step; every second time one at which a file is half-written."""
    return draw(st.one_of(st.sampled_from(steps.writes), st.integers(1, steps.done)))


def _without_outputs(sandbox: Sandbox, run: str, draw: Draw) -> set[str]:
    """Outputs of a run, which are not there yet, or are to be replaced."""
    outputs = outputs_of(run, sandbox.world.files)
    if draw(st.booleans()):
        for name in outputs:
            (sandbox.root / name).unlink()
    return outputs


def _expect_recovery(sandbox: Sandbox, run: str) -> None:
    """The next run of the stage ends well, with the bytes of one that nothing stopped, and nothing is left."""
    result = sandbox.run(run)
    expect(result.code == 0, f"afterwards: {result.err}")
    sandbox.expect_files(sandbox.world.files)


def _expect_named(result: Result, outputs: set[str]) -> None:
    """The error says which output it is of, or which folder: neither a temporary name, which nobody knows, nor none."""
    lines = [line.removeprefix("error: ") for line in result.err.splitlines() if line.startswith("error: ")]
    known = {*outputs, *(str(above) for name in outputs for above in Path(name).parents)}
    expect(lines[0].split(": ")[0] in known, f"no output is named: {result.err}")


def disk_is_full(world: World, draw: Draw, runs: tuple[str, ...] = QUICK) -> None:
    run = draw(st.sampled_from(runs))
    number = step_of(world, draw, run)
    error = draw(st.sampled_from(FULL))
    sandbox = world.sandbox("disk")
    with sandbox.trial():
        outputs = _without_outputs(sandbox, run, draw)
        with injected(Steps(number, full_disk(error))):
            result = sandbox.run(run)
        if not expect_well_or_one_line(result, 1, 2):
            expect(os.strerror(error) in result.err, result.err)
            _expect_named(result, outputs)
        sandbox.expect_whole_or_missing(outputs)
        expect(not list(sandbox.root.rglob(".crmman-*")), "a temporary file is left")
        _expect_recovery(sandbox, run)


def file_too_large(world: World, draw: Draw, runs: tuple[str, ...] = QUICK) -> None:
    """The system itself refuses to write further than to a place: what no call of Python's writes as well."""
    run = draw(st.sampled_from(runs))
    size = draw(st.one_of(st.integers(0, 3000), st.integers(0, 300_000)))
    sandbox = world.sandbox("disk")
    with sandbox.trial():
        outputs = _without_outputs(sandbox, run, draw)
        with files_of_at_most(size):
            result = sandbox.run(run)
        if not expect_well_or_one_line(result, 1):
            expect("File too large" in result.err, result.err)
            _expect_named(result, outputs)
        sandbox.expect_whole_or_missing(outputs)
        _expect_recovery(sandbox, run)


def stopped_by_the_keyboard(world: World, draw: Draw, runs: tuple[str, ...] = QUICK) -> None:
    run = draw(st.sampled_from(runs))
    number = step_of(world, draw, run)
    sandbox = world.sandbox("keyboard")
    with sandbox.trial():
        outputs = _without_outputs(sandbox, run, draw)
        try:
            with injected(Steps(number, interrupted)):
                result = sandbox.run(run)
        except KeyboardInterrupt:
            raise FaultError("a traceback: nobody has caught it") from None
        expect_one_line(result, 130)
        sandbox.expect_whole_or_missing(outputs)
        expect(not list(sandbox.root.rglob(".crmman-*")), "a temporary file is left")
        _expect_recovery(sandbox, run)


def killed_while_writing(world: World, draw: Draw, runs: tuple[str, ...] = QUICK) -> None:
    run = draw(st.sampled_from(runs))
    number = step_of(world, draw, run)
    sandbox = world.sandbox("kills")
    with sandbox.trial():
        outputs = _without_outputs(sandbox, run, draw)
        (code,) = apart(world, [Apart(sandbox.root, run, number)])
        expect(code.code == KILLED, f"it was not killed: {code}")
        sandbox.expect_whole_or_missing(outputs)
        _expect_recovery(sandbox, run)


def killed_at_any_moment(world: World, draw: Draw) -> None:
    run = draw(st.one_of(st.sampled_from(TRAININGS), st.sampled_from(QUICK)))
    # Of the time that it takes where nothing stops it.
    delay = draw(st.integers(0, 100)) / 100 * world.once(_STEPS[run]).seconds
    sandbox = world.sandbox("kills")
    with sandbox.trial():
        outputs = _without_outputs(sandbox, run, draw)
        apart(world, [Apart(sandbox.root, run, kill_after=delay)])
        sandbox.expect_whole_or_missing(outputs)
        _expect_recovery(sandbox, run)


def two_at_once(world: World, draw: Draw) -> None:
    """Of one variant: as where dvc was killed and its stage was not. One begins at any moment of the other, or while it writes."""
    _together(world, draw, held=draw(st.booleans()))


def one_while_another_writes(world: World, draw: Draw) -> None:
    _together(world, draw, held=True)


def _together(world: World, draw: Draw, *, held: bool) -> None:
    run = draw(st.sampled_from(TRAININGS))
    sandbox = world.sandbox("together")
    hold_at = draw(st.sampled_from(world.once(_STEPS[run]).writes)) if held else 0
    delay = 0.0 if held else draw(st.integers(0, 1000)) / 1000
    with sandbox.trial():
        _without_outputs(sandbox, run, draw)
        results = apart(world, [Apart(sandbox.root, run, hold_at=hold_at), Apart(sandbox.root, run, start_after=delay)])
        for result in results:
            expect(expect_well_or_one_line(result), f"one did not end well: {result.err}")
            # A checkpoint that the other one has taken away is a warning alone.
            expect("cannot be written" not in result.err, result.err)
        sandbox.expect_files(world.files)


class Written:
    """An artifact written, in a process of its own that kills itself at a step of it."""

    def __init__(self, root: Path, kind: str, kill_at: int) -> None:
        self.root, self.kind, self.kill_at = root, kind, kill_at

    def __call__(self, answer: Connection) -> None:
        answer.send("started")
        with injected(Steps(self.kill_at, killed)):
            _write(self.kind, "v", self.root)
        answer.send(Result(0, "", ""))


def _write(kind: str, variant: str, root: Path) -> Path:
    artifact, write = WRITES[kind]
    write(artifact.of(variant=variant), "d", root)
    return artifact.of(variant=variant).at("d", root)


def killed_in_a_writer(world: World, draw: Draw) -> None:
    """At each step of each kind of artifact: the old one or the new one is there, and what is left is cleared."""
    kind = draw(st.sampled_from(sorted(WRITES)))
    number = _one_of(world.once(_steps_of_writers)[kind], draw)
    root = world.scratch / "written"
    shutil.rmtree(root, ignore_errors=True)
    new = _contents_of(_write(kind, "v", root))
    path = WRITES[kind][0].of(variant="v").at("d", root)
    old = draw(st.booleans())
    # Another one, so that the old is not the new.
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    before: dict[str, bytes] = {}
    if old:
        other = _write(kind, "w", root)
        shutil.move(other, path)
        before = _contents_of(path)
    (result,) = apart(world, [Written(root, kind, number)])
    # Steps were counted where an old one is moved away, which may be more than there are without.
    expect(result.code == KILLED or (not old and result.code == 0), f"it was not killed: {result}")
    found = _contents_of(path) if path.exists() else {}
    # A folder is moved away before the new one comes.
    expect(found in ([before, new] if kind != "vectors" else [before, new, {}]), "half-written")
    clear_left_over(root)
    left = [each for each in root.rglob("*") if each.is_file() and path not in (each, *each.parents)]
    expect(not left, f"left over: {left}")
    expect(_contents_of(_write(kind, "v", root)) == new, "other bytes afterwards")


def _contents_of(path: Path) -> dict[str, bytes]:
    files = [path] if path.is_file() else [each for each in path.rglob("*") if each.is_file()]
    return {str(each.relative_to(path)): each.read_bytes() for each in files}


def _steps_of_writers(world: World) -> dict[str, Steps]:
    found = {}
    for kind in WRITES:
        # Where its folder is not there yet there are more.
        _write(kind, "v", world.scratch / "steps of writers")
        with injected(Steps()) as steps:
            _write(kind, "v", world.scratch / "steps of writers")
        found[kind] = steps
    return found


class Apart:
    """A run in a process of its own.

    Args:
        kill_at: the step of writing at which it kills itself.
        hold_at: the step of writing at which it stands still until those after it have ended.
        kill_after, start_after: seconds.
    """

    def __init__(
        self,
        root: Path,
        run: str,
        kill_at: int = 0,
        hold_at: int = 0,
        kill_after: float | None = None,
        start_after: float = 0.0,
    ) -> None:
        self.root, self.run, self.kill_at, self.hold_at = root, run, kill_at, hold_at
        self.kill_after, self.start_after = kill_after, start_after

    def __call__(self, answer: Connection) -> None:
        time.sleep(self.start_after)
        answer.send("started")

        def hold(_: str | None) -> None:
            answer.send("held")
            os.kill(os.getpid(), signal.SIGSTOP)

        with injected(Steps(self.hold_at, hold) if self.hold_at else Steps(self.kill_at, killed)):
            answer.send(Workspace(self.root).run(self.run))


def apart(world: World, runs: Sequence[Apart | Written]) -> list[Result]:
    """Run side by side, in children of a process that has imported all that stages need and started no thread."""
    context = world.once(_server)
    started = []
    for run in runs:
        mine, theirs = context.Pipe(duplex=False)
        process = context.Process(target=run, args=(theirs,), daemon=True)
        process.start()
        theirs.close()
        if isinstance(run, Apart) and run.hold_at:
            for _ in ("started", "held"):
                assert mine.poll(PATIENCE_SECONDS), "it does not write"
                mine.recv()
        started.append((run, process, mine))
    # Those that are held go on when the others have ended.
    return [_result(*one) for one in reversed(started)][::-1]


def _result(run: Apart | Written, process: Any, answer: Connection) -> Result:
    try:
        try:
            if isinstance(run, Apart) and run.hold_at:
                os.kill(process.pid, signal.SIGCONT)
            else:
                assert answer.poll(PATIENCE_SECONDS), "it does not start"
                answer.recv()
            if isinstance(run, Apart) and run.kill_after is not None and not answer.poll(run.kill_after):
                os.kill(process.pid, signal.SIGKILL)
            assert answer.poll(PATIENCE_SECONDS), "it does not end"
            result: Result = answer.recv()
        except EOFError:
            process.join(PATIENCE_SECONDS)
            return Result(process.exitcode or 0, "", "")
        process.join(PATIENCE_SECONDS)
        return result
    finally:
        if process.is_alive():
            process.kill()
        answer.close()


def _server(world: World) -> Any:
    context = get_context("forkserver")
    context.set_forkserver_preload(["tests.faults.preload"])
    # Its own temporary folder is to outlast a trial's.
    with patch.object(tempfile, "tempdir", None):
        forkserver.ensure_running()
    return context
