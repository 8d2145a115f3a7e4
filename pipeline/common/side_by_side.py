"""Blocks of a computation on a thread each: what one machine does with its cores.

It is done this way where one block is too small for PyTorch or numba to share it out well.
"""

from __future__ import annotations

import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

from pipeline.common.blocks import BlockT, MapBlocks, ResultT, Shown, bar_of, in_turn
from pipeline.common.cores import cores_here

if TYPE_CHECKING:
    import torch

Part = TypeVar("Part")

# Blocks that are begun before the first of them is asked for, for each thread: some take longer than others.
AHEAD = 2
# Whether this thread is one of the pool's: what it would share out again, it does itself, or all would wait for one another.
_here = threading.local()


def local(
    work: Callable[..., ResultT], blocks: Sequence[BlockT], *shared: Any, shown: Shown | None = None
) -> Iterator[ResultT]:
    """As many blocks at once as there are cores, each on one thread: a `MapBlocks`.

    A block meets the same operations on one thread whatever the number of cores: so do its bytes.
    """
    with _on_one_thread():
        if _would_be_alone(blocks):
            yield from in_turn(work, blocks, *shared, shown=shown)
            return
        with bar_of(blocks, shown) as bar:
            for block, found in zip(blocks, _ahead(lambda block: work(block, *shared), blocks), strict=True):
                bar.update(len(block))
                yield found


def side_by_side(work: Callable[[Part], ResultT], parts: Sequence[Part], device: torch.device) -> list[ResultT]:
    """`work` of each part, without gradients; on a CPU as many at once as there are cores, each on one thread."""
    import torch

    inference = torch.is_inference_mode_enabled()

    def alone(part: Part) -> ResultT:
        # Such modes are a thread's own.
        with torch.inference_mode() if inference else torch.no_grad():
            return work(part)

    if device.type != "cpu":
        return [alone(part) for part in parts]
    with _on_one_thread():
        if _would_be_alone(parts):
            return [alone(part) for part in parts]
        return list(_ahead(alone, parts))


def here(device: torch.device | str) -> MapBlocks:
    """Who works on blocks on this machine, if nothing else is said: a GPU has one at a time."""
    return local if str(device) == "cpu" else in_turn


def _would_be_alone(blocks: Sequence[Any]) -> bool:
    return cores_here() == 1 or len(blocks) == 1 or getattr(_here, "in_pool", False)


def _ahead(work: Callable[[Part], ResultT], parts: Sequence[Part]) -> Iterator[ResultT]:
    """In order; no more is there at once than what is asked for next and some that are ahead of it."""
    threads = cores_here()
    begun: deque[Future[ResultT]] = deque()
    waiting = iter(parts)
    try:
        for part in waiting:
            begun.append(_pool(threads).submit(_in_pool, work, part))
            if len(begun) >= AHEAD * threads:
                yield begun.popleft().result()
        while begun:
            yield begun.popleft().result()
    finally:
        # Of an error, or where nobody asks for the rest.
        for one in begun:
            one.cancel()


@contextmanager
def _on_one_thread() -> Iterator[None]:
    """PyTorch, where it is loaded, on one thread."""
    torch = sys.modules.get("torch")
    if torch is None:
        yield
        return
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads)


def _in_pool(work: Callable[[Part], ResultT], part: Part) -> ResultT:
    _here.in_pool = True
    # How many threads an operation takes is a thread's own setting as well.
    if (torch := sys.modules.get("torch")) is not None:
        torch.set_num_threads(1)
    return work(part)
