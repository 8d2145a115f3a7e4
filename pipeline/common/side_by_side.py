"""Parts of a computation on a thread each, where one part is too small for PyTorch to share it out well."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import TypeVar

import torch

from pipeline.common.cores import cores_here

Part = TypeVar("Part")
Result = TypeVar("Result")


def side_by_side(work: Callable[[Part], Result], parts: Sequence[Part], device: torch.device) -> list[Result]:
    """`work` of each part, without gradients; on a CPU as many at once as there are cores, each on one thread.

    A part meets the same operations on one thread whatever the number of cores: so do its bytes.
    """
    inference = torch.is_inference_mode_enabled()

    def alone(part: Part) -> Result:
        # Such modes are a thread's own.
        with torch.inference_mode() if inference else torch.no_grad():
            return work(part)

    if device.type != "cpu":
        return [alone(part) for part in parts]
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        if cores_here() == 1 or len(parts) == 1:
            return [alone(part) for part in parts]
        return list(_pool(cores_here()).map(alone, parts))
    finally:
        torch.set_num_threads(threads)


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    # How many threads an operation takes is a thread's own setting as well.
    return ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,))
