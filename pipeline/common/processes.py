"""Several processes that train one model: each has all of it, and a share of the users of a step.

Losses are means over all users of a step, so that the slopes of the shares add up to that of the whole step. What is drawn is drawn alike
by every process. So all of them take the same steps, and these are the steps of a single one, but for the rounding of sums.
A function that trains takes `Processes`, and does not know who started them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol, TypeVar

from pipeline.common.blocks import MapBlocks, in_turn

if TYPE_CHECKING:
    import torch

MadeT = TypeVar("MadeT")


class Processes(Protocol):
    """
    Attributes:
        number: how many there are.
        place: of this one, from 0. The first alone says and writes something.
    """

    number: int
    place: int

    @property
    def map_blocks(self) -> MapBlocks:
        """Who works on blocks: each process on some of them, and all get what comes of all. So all have to ask for the same."""
        ...

    def add_up(self, numbers: torch.Tensor) -> None:
        """Each number becomes its sum over all processes, the same bytes in each of them."""
        ...

    def of_first(self, make: Callable[[], MadeT]) -> MadeT:
        """What the first process has made, in all of them."""
        ...


class Alone:
    """One process: `Processes` that nobody waits for."""

    number, place = 1, 0
    map_blocks: MapBlocks = staticmethod(in_turn)

    def add_up(self, numbers: torch.Tensor) -> None: ...

    def of_first(self, make: Callable[[], MadeT]) -> MadeT:
        return make()


ALONE = Alone()


def share_of(values: int, processes: Processes) -> tuple[int, int]:
    """Where the share of this process begins and ends: shares follow one another, and differ by one at most."""
    return values * processes.place // processes.number, values * (processes.place + 1) // processes.number


def add_up_slopes(parameters: Sequence[torch.nn.Parameter], processes: Processes) -> None:
    """Gradients become their sums over all processes.

    PyTorch's DistributedDataParallel does the same while others are still being found. Here nearly all of them are of the vectors of items
    and entities, which are found last, so there is nothing to do meanwhile. It would load PyTorch's compiler in every process (1.7 CPU
    seconds, 80 MiB), look through the whole graph of each step for weights that the step does not use, and want a module with a loss in
    every step.
    """
    if processes.number == 1:
        return
    import torch

    slopes = [_dense_part(one) for one in parameters]
    # Weights without a slope anywhere are left alone by the optimiser; a slope of zero would let them decay.
    there = parameters[0].new_tensor([one.grad is not None for one in parameters])
    flat = torch.cat([*(slope.reshape(-1) for slope in slopes), there])
    processes.add_up(flat)
    *sums, anywhere = torch.split(flat, [*(slope.numel() for slope in slopes), len(there)])
    for one, slope, total, known in zip(parameters, slopes, sums, anywhere.tolist(), strict=True):
        total = total.view_as(slope)
        if one.grad is not None and one.grad.is_sparse:
            total = torch.sparse_coo_tensor(
                one.grad.indices(), total, one.shape, check_invariants=False, is_coalesced=True
            )
        one.grad = total if known else None


def _dense_part(parameter: torch.nn.Parameter) -> torch.Tensor:
    """Its gradient, zeros where it has none; of a sparse one the rows that the step meets, which are the same in all processes."""
    if parameter.grad is None:
        return parameter.new_zeros(parameter.shape)
    if parameter.grad.is_sparse:
        parameter.grad = parameter.grad.coalesce()
        return parameter.grad.values()
    return parameter.grad
