"""The number of threads changes no result: stages sum on one thread, whatever the machine and its environment say."""

from __future__ import annotations

import os
import subprocess
import sys

from threadpoolctl import threadpool_limits

from tests.in_process import run_module
from tests.repository import ROOT


def test_any_number_of_threads_gives_the_bytes_of_one() -> None:
    names = ("OMP", "MKL", "OPENBLAS", "POLARS_MAX", "NUMBA")
    environment = os.environ | {f"{name}_{'' if '_' in name else 'NUM_'}THREADS": "3" for name in names}
    command = [sys.executable, "-m", "tests.stages.sums", "3"]
    three = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    with threadpool_limits(1):
        one = run_module("tests.stages.sums", "1", folder=ROOT)
    assert one.code == 0, one.err
    assert "threads [1]" in one.out.splitlines()
    assert three.stdout == one.out
