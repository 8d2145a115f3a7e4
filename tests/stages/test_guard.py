"""What stops a stage or a verb: one line on stderr, and an exit code."""

from __future__ import annotations

import errno
import io
import lzma
import os
import signal
import subprocess
import sys
import time
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from ruamel.yaml import YAML

from pipeline.common.errors import CONTROLS, LONGEST_LINE, InputError, one_line, printable
from pipeline.common.files import write_bytes
from stages.guard import LOOK_EVERY_SECONDS, STARTED_BY_DVC, guarded, said
from tests.common.test_files import files_of_at_most
from tests.stages.conftest import Finished
from tests.stages.workspace import KEY, ROOT, Workspace

Stopped = Callable[[Callable[[], object]], tuple[int, str]]


@pytest.fixture
def stopped(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stopped:
    """Exit code and stderr of an action that something stops, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))

    def call(action: Callable[[], object]) -> tuple[int, str]:
        with pytest.raises(SystemExit) as end:
            guarded(action)
        out, err = capsys.readouterr()
        assert out == ""
        assert err.count("\n") == 1, err
        return int(end.value.code or 0), err

    return call


def raises(error: BaseException) -> Callable[[], object]:
    def action() -> None:
        raise error

    return action


def test_what_ends_well_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    guarded(lambda: None)
    assert capsys.readouterr() == ("", "")


def test_a_users_mistake(stopped: Stopped) -> None:
    assert stopped(raises(InputError("a.csv:\n  row 3"))) == (2, "error: a.csv: row 3\n")


def test_files(stopped: Stopped, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert stopped(lambda: Path("no/file").read_bytes()) == (2, "error: no/file: No such file or directory\n")
    assert stopped(lambda: Path(b"a\xff".decode(errors="surrogateescape")).read_bytes())[0] == 2
    assert stopped(lambda: Path("temporary").read_bytes()) == (2, "error: temporary: Is a directory\n")
    assert stopped(lambda: Path("file/below").read_bytes()) == (2, "error: file/below: Not a directory\n")
    assert stopped(raises(PermissionError(errno.EACCES, "Permission denied", "x.csv"))) == (
        2,
        "error: x.csv: Permission denied\n",
    )
    assert stopped(raises(OSError(errno.EIO, "Input/output error", "x"))) == (1, "error: x: Input/output error\n")


def test_a_full_disk_is_named(stopped: Stopped, tmp_path: Path) -> None:
    def write() -> None:
        with files_of_at_most(10):
            write_bytes(Path("artifacts/a.parquet"), bytes(100))

    code, line = stopped(write)
    assert code == 1
    assert line.startswith(
        "error: artifacts/a.parquet: cannot be written: File too large (the disk at "
        f"{next(each for each in tmp_path.parents if each.is_mount())} has "
    )
    assert line.endswith(" MB free)\n")
    assert list((tmp_path / "artifacts").iterdir()) == []


def test_memory(stopped: Stopped) -> None:
    for action in (lambda: np.ones(1 << 55), lambda: torch.ones(1 << 55)):
        code, line = stopped(action)
        assert code == 1
        assert line.startswith("error: not enough memory: ")
    assert stopped(raises(MemoryError()))[1] == "error: not enough memory: no more available\n"
    assert said(torch.OutOfMemoryError("CUDA out of memory")) == ("not enough memory: CUDA out of memory", 1)


def test_damaged_compression_numbers_and_yaml(stopped: Stopped) -> None:
    for action, words in (
        (lambda: zlib.decompress(b"x"), "a compressed file is damaged: "),
        (lambda: lzma.decompress(b"x"), "a compressed file is damaged: "),
        (lambda: zipfile.ZipFile(__file__), "a compressed file is damaged: File is not a zip file"),
        (lambda: np.array([1 << 99], dtype=np.int32), "found a number that is too large: "),
        (lambda: YAML(typ="safe", pure=True).load("a: [1"), "not valid YAML: "),
    ):
        code, line = stopped(action)
        assert code == 2
        assert line.startswith(f"error: {words}")


def test_the_keyboard(stopped: Stopped) -> None:
    assert stopped(raises(KeyboardInterrupt())) == (130, "stopped\n")


def test_ctrl_c_while_pytorch_writes_is_no_bug_of_its_own(stopped: Stopped) -> None:
    class Stops(io.BytesIO):
        def write(self, content: Any, /) -> int:
            if self.tell() > 10_000:
                raise KeyboardInterrupt
            return super().write(content)

    # PyTorch closes its archive on the way out, and raises that it is not whole.
    with pytest.raises(RuntimeError, match="unexpected pos"):
        torch.save(torch.zeros(10_000), Stops())
    assert stopped(lambda: torch.save(torch.zeros(10_000), Stops())) == (130, "stopped\n")


def test_a_bug_says_that_it_is_one_and_where_its_traceback_is(stopped: Stopped, tmp_path: Path) -> None:
    code, line = stopped(lambda: {}["key\x1b[31m"])
    assert code == 1
    assert line.startswith(r"error: this is a bug: KeyError: 'key\x1b[31m' (test_guard.py, line ")
    assert "please report it" in line
    (kept,) = (tmp_path / "temporary").iterdir()
    assert line.endswith(f"with {kept}\n")
    assert "Traceback (most recent call last)" in kept.read_text()
    assert 'lambda: {}["key' in kept.read_text()
    assert said(OSError("without a number"))[0] is None


def test_what_already_says_how_it_ends_is_left_alone() -> None:
    with pytest.raises(SystemExit) as end:
        guarded(raises(SystemExit(3)))
    assert end.value.code == 3


def test_an_error_is_cut_and_no_terminal_obeys_it() -> None:
    assert one_line("a" * 5000) == "a" * LONGEST_LINE + " ..."
    assert one_line("a\x1b[2J\x07\r\n b\x9b1m\u202e") == r"a\x1b[2J\x07 b\x9b1m\u202e"
    kept = "Ünïcødé \t\n 日本 می\u200cخواهم 👩\u200d🚀"
    assert printable(kept) == kept
    assert all(CONTROLS.fullmatch(chr(code)) for code in (*range(9), *range(11, 32), *range(127, 160)))


APART = """
import sys
import time
from stages.guard import guarded
{action}
guarded(action)
"""


def apart(action: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-c", APART.format(action=action)],
        cwd=ROOT,
        env=os.environ | environment,
        capture_output=True,
        check=False,
    )


def test_output_is_utf_8_whatever_the_locale() -> None:
    action = "def action():\n    print('Am\\xe9lie \\u65e5 \\udcff')\n    print('\\xfc', file=sys.stderr)"
    found = apart(action, LC_ALL="C", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0", PYTHONIOENCODING="ascii")
    assert (found.returncode, found.stdout.decode(), found.stderr.decode()) == (0, "Amélie 日 \\udcff\n", "ü\n")


@pytest.mark.parametrize("closed", ["1", "2", "0 1 2"])
def test_output_that_is_closed_goes_nowhere_and_into_no_file(tmp_path: Path, closed: str) -> None:
    file = tmp_path / "file"
    action = (
        f"def action():\n    with open({str(file)!r}, 'w') as file:\n        file.write('whole')\n        file.flush()\n"
        "        os.write(1, b'out'); os.write(2, b'err'); print('printed'); print('said', file=sys.stderr)\n"
        "        sys.stdout.isatty()\n"
        f"    open({str(tmp_path / 'done')!r}, 'w').close()"
    )
    found = subprocess.run(
        [
            "bash",
            "-c",
            f'"$0" -c "$1" {" ".join(f"{each}>&-" for each in closed.split())}',
            sys.executable,
            APART.format(action=f"import os\n{action}"),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 0, found.stderr
    assert file.read_text() == "whole"
    assert (tmp_path / "done").exists()
    assert found.stdout == ("" if "1" in closed else "outprinted\n")
    assert found.stderr == ("" if "2" in closed else "errsaid\n")


def test_output_to_a_full_disk_is_one_line(tmp_path: Path) -> None:
    """Python's own attempt to write the rest when it exits would be a second one."""
    action = "import resource\nresource.setrlimit(resource.RLIMIT_FSIZE, (10, 10))\ndef action(): print('x' * 100)"
    with (tmp_path / "out").open("wb") as out:
        found = subprocess.run(
            [sys.executable, "-c", APART.format(action=action)],
            cwd=ROOT,
            stdout=out,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert found.returncode == 1
    assert found.stderr.startswith("error: output: cannot be written: File too large")
    assert found.stderr.count("\n") == 1


def test_in_pythons_development_mode_a_bug_shows_its_traceback() -> None:
    found = apart("def action(): raise KeyError(1)", PYTHONDEVMODE="1")
    assert found.returncode == 1
    assert b"Traceback (most recent call last)" in found.stderr


def test_timings_that_cannot_be_written_are_a_warning(finished: Finished, tmp_path: Path) -> None:
    copy = finished.workspace.copy(tmp_path / "copy")
    for path in (copy.root / ".timings").iterdir():
        path.unlink()
    (copy.root / ".timings").rmdir()
    (copy.root / ".timings").touch()
    result = copy.run("fetch")
    assert result.code == 0
    assert result.err == f"[{KEY}] fetch: warning: .timings: cannot be written: File exists\n"
    assert copy.files() == finished.files


def test_a_stage_clears_what_stages_that_were_killed_left(fresh: Workspace, tmp_path: Path) -> None:
    copy = fresh.copy(tmp_path / "copy")
    left = [
        copy.root / folder / ".crmman-x.part"
        for folder in (f"artifacts/{KEY}/dataset", f"plots/{KEY}", "metrics", f".checkpoints/{KEY}/crmman")
    ]
    for path in left:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    assert copy.run("fetch").code == 0
    assert not any(path.exists() for path in left)


@pytest.mark.parametrize("name", ["../../x", "recommended2"])
@pytest.mark.parametrize(
    ("stage", "option"),
    [
        ("evaluate", "--variant"),
        ("recommend", "--variant"),
        ("refit", "--variant"),
        ("evaluate_baselines", "--baseline"),
    ],
)
def test_a_name_that_params_yaml_does_not_have_becomes_no_path(
    fresh: Workspace, stage: str, option: str, name: str
) -> None:
    before = fresh.files()
    result = fresh.call(stage, "--dataset", KEY, option, name)
    assert (result.code, result.out) == (2, "")
    assert result.err.startswith(f"error: {option}: found {name!r}, expected one of: ")
    assert "recommended" in result.err or "item-knn" in result.err
    assert fresh.files() == before


@pytest.mark.parametrize("group", ["../../x", "variant", "/x"])
def test_an_unknown_group_writes_nothing(finished: Finished, group: str) -> None:
    result = finished.workspace.call("evaluate", "--dataset", KEY, "--variant", "crmman", "--group", group)
    assert (result.code, result.out) == (2, "")
    assert result.err == f"error: --group: found {group!r}, expected one of: variants, ablations\n"
    assert finished.workspace.files() == finished.files


IDLE = """
import os, sys, time
from stages.guard import end_with_dvc
end_with_dvc("[d] stage")
print(os.getpid(), flush=True)
time.sleep(60)
"""
# As DVC does, and with a shell that waits for what it starts.
PARENT_OF = {
    "directly": "import subprocess, sys; subprocess.run([sys.executable, '-c', sys.argv[1]])",
    "by a shell": "import os, subprocess, sys; os.environ['IDLE'] = sys.argv[1]; "
    "subprocess.run(['/bin/sh', '-c', f'{sys.executable} -c \"$IDLE\"; exit 3'])",
}


@pytest.mark.parametrize(("by_dvc", "how"), [(True, "directly"), (True, "by a shell"), (False, "directly")])
def test_a_stage_ends_with_the_dvc_that_started_it(by_dvc: bool, how: str) -> None:
    environment = {name: value for name, value in os.environ.items() if name != STARTED_BY_DVC}
    with subprocess.Popen(
        [sys.executable, "-c", PARENT_OF[how], IDLE],
        cwd=ROOT,
        env=environment | ({STARTED_BY_DVC: "stage@d"} if by_dvc else {}),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as parent:
        assert parent.stdout is not None
        assert parent.stderr is not None
        stage = int(parent.stdout.readline())
        # It has looked who is there.
        time.sleep(2 * LOOK_EVERY_SECONDS)
        parent.terminate()
        parent.wait()
        if by_dvc:
            # Ends when the stage does, which has it too.
            assert parent.stderr.read() == "[d] stage: stopped, because DVC, which started it, has ended\n"
        else:
            time.sleep(3 * LOOK_EVERY_SECONDS)
            os.kill(stage, signal.SIGKILL)
            assert parent.stderr.read() == ""


@pytest.mark.parametrize("what", ["stage", "crmman", "other"])
def test_the_keyboard_while_it_is_still_importing(tmp_path: Path, what: str) -> None:
    """A package in the place of one that takes long to import."""
    (tmp_path / "typer.py").write_text("import time\nprint('importing', flush=True)\ntime.sleep(60)\n")
    script = tmp_path / ("crmman" if what == "crmman" else "other.py")
    script.write_text("import stages.cli\n")
    command = ["-m", "stages.fetch"] if what == "stage" else [str(script)]
    with subprocess.Popen(
        [sys.executable, *command],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as started:
        assert started.stdout is not None
        assert started.stderr is not None
        assert started.stdout.readline() == "importing\n"
        started.send_signal(signal.SIGINT)
        said_on_stderr = started.stderr.read()
    if what == "other":
        # Who imports the package for something else keeps their own way to end.
        assert "KeyboardInterrupt" in said_on_stderr
    else:
        assert (started.returncode, said_on_stderr) == (130, "stopped\n")


def test_who_ignores_the_keyboard_goes_on_to() -> None:
    """As jobs do that a shell has put in the background."""
    ignoring = "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)"
    action = f"{ignoring}\ndef action(): print(signal.getsignal(signal.SIGINT) == signal.SIG_IGN)"
    assert apart(action).stdout == b"True\n"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--datset", "x"], "No such option: --datset"),
        ([], "Missing option '--dataset'"),
        (["--dataset", "small", "\x1b[2J"], r"Got unexpected extra argument(s) (\x1b[2J)"),
    ],
)
def test_a_wrong_option_of_a_stage_is_one_line(fresh: Workspace, arguments: list[str], words: str) -> None:
    result = fresh.call("fetch", *arguments)
    assert (result.code, result.out) == (2, "")
    assert result.err.startswith("error: ")
    assert result.err.count("\n") == 1
    assert words in result.err
