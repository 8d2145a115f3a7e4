"""One stage in this process, and what it took: `python -m benchmarks.gpu_stage FILE STAGE ARGUMENTS...`, for `benchmarks.gpu_check`.

What it took is written as JSON into FILE: `seconds` without PyTorch's import and the GPU's start, `mebibytes`, the most that the process
held, and `of_gpu`, the most that PyTorch held of the GPU's memory.
"""

from __future__ import annotations

import json
import resource
import runpy
import sys
import time
from pathlib import Path

import torch


def run(file: Path, stage: str, arguments: list[str]) -> None:
    there = torch.cuda.is_available()
    if there:
        torch.cuda.init()  # type: ignore[no-untyped-call]
    sys.argv = [f"stages.{stage}", *arguments]
    start = time.perf_counter()
    try:
        runpy.run_module(f"stages.{stage}", run_name="__main__")
    finally:
        seconds = time.perf_counter() - start
        held = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)
        of_gpu = torch.cuda.max_memory_allocated() / 2**20 if there else 0.0
        file.write_text(json.dumps({"seconds": seconds, "mebibytes": held, "of_gpu": of_gpu}))


if __name__ == "__main__":
    run(Path(sys.argv[1]), sys.argv[2], sys.argv[3:])
