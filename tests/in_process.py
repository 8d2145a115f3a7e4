"""Run `python -m MODULE ARGUMENTS` inside the tests' own process, which spares the seconds that a new one takes to start.

What a process of its own starts from, the module finds here as well: its command line, a folder to work in, PyTorch's and
NumPy's state as imports leave it, warnings that are shown. `tests/test_dvc_repro.py` holds what stages write this way against
what they write as processes, byte for byte.
"""

from __future__ import annotations

import io
import os
import random
import runpy
import sys
import traceback
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, chdir, contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import NamedTuple
from unittest.mock import patch

import numpy as np
import torch


class Result(NamedTuple):
    code: int
    out: str
    err: str


def run_module(module: str, *arguments: str, folder: Path) -> Result:
    """What `python -m MODULE ARGUMENTS` in a folder prints, and its exit code."""
    out, err = _text(), _text()
    with ExitStack() as stack:
        stack.enter_context(chdir(folder))
        stack.enter_context(patch.object(sys, "argv", [module, *arguments]))
        stack.enter_context(patch.dict(os.environ))
        stack.enter_context(patch.object(sys, "stdin", io.StringIO()))
        stack.enter_context(redirect_stdout(out))
        stack.enter_context(redirect_stderr(err))
        stack.enter_context(_shown_warnings())
        stack.enter_context(_state_of_a_new_process())
        code = _exit_code(module)
    return Result(code, _content(out), _content(err))


def _exit_code(module: str) -> int:
    try:
        with warnings.catch_warnings():
            # The module may have been imported by a test already; as in a process of its own it runs once more.
            warnings.filterwarnings("ignore", message=".*found in sys.modules", category=RuntimeWarning)
            runpy.run_module(module, run_name="__main__", alter_sys=True)
    except SystemExit as end:
        if end.code is None or isinstance(end.code, int):
            return end.code or 0
        print(end.code, file=sys.stderr)
        return 1
    except Exception:
        traceback.print_exc()
        return 1
    return 0


def _text() -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BytesIO(), encoding="utf-8", newline="", write_through=True)


def _content(stream: io.TextIOWrapper) -> str:
    buffer = stream.buffer
    assert isinstance(buffer, io.BytesIO)
    return buffer.getvalue().decode()


@contextmanager
def _shown_warnings() -> Iterator[None]:
    """Warnings go to stderr by Python's own filters, and not to pytest."""

    def show(message: Warning | str, category: type[Warning], filename: str, lineno: int, *_: object) -> None:
        sys.stderr.write(warnings.formatwarning(message, category, filename, lineno))

    with warnings.catch_warnings():
        warnings.resetwarnings()
        for ignored in (DeprecationWarning, PendingDeprecationWarning, ImportWarning, ResourceWarning):
            warnings.simplefilter("ignore", ignored)
        warnings.showwarning = show
        yield


@contextmanager
def _state_of_a_new_process() -> Iterator[None]:
    """Nothing that tests have drawn or switched on is met by the module, and nothing of it by later tests."""
    states = random.getstate(), np.random.get_state(), torch.get_rng_state()  # noqa: NPY002
    mode, fill = torch.get_deterministic_debug_mode(), torch.utils.deterministic.fill_uninitialized_memory
    threads = torch.get_num_threads()
    # Other numbers each time: who draws from these without a seed of its own does not write the same bytes twice.
    random.seed()
    np.random.seed()  # noqa: NPY002
    torch.seed()
    torch.set_deterministic_debug_mode("default")
    torch.utils.deterministic.fill_uninitialized_memory = True
    try:
        yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])  # noqa: NPY002
        torch.set_rng_state(states[2])
        torch.set_deterministic_debug_mode(mode)
        torch.utils.deterministic.fill_uninitialized_memory = fill
        torch.set_num_threads(threads)
