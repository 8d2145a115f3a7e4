"""Work that is cut into blocks: of texts, rows or users.

Blocks are cut by the data alone, and each is worked on by itself. So it does not matter where that is done, in which order, and how
many at a time: what comes of them is the same bytes. A function that has such work takes a `MapBlocks`, and does not know who does it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence, Sized
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeVar

if TYPE_CHECKING:
    from tqdm import tqdm

BlockT = TypeVar("BlockT", bound=Sized)
ResultT = TypeVar("ResultT")


class Shown(NamedTuple):
    """What a bar calls the work, and what its blocks are made of."""

    name: str
    unit: str


class MapBlocks(Protocol):
    """Who works on blocks."""

    def __call__(
        self, work: Callable[..., ResultT], blocks: Sequence[BlockT], *shared: Any, shown: Shown | None = None
    ) -> Iterator[ResultT]:
        """`work(block, *shared)` of each block, in the order of the blocks.

        Args:
            work: a function of a module, without a state of its own: it may be called in another process, and more than once.
            shared: what every block needs; it is read only.
            shown: in a bar on stderr, if that is a terminal; None: no bar.
        """
        ...


def in_turn(
    work: Callable[..., ResultT], blocks: Sequence[BlockT], *shared: Any, shown: Shown | None = None
) -> Iterator[ResultT]:
    """One after another, here: a `MapBlocks`."""
    with bar_of(blocks, shown) as bar:
        for block in blocks:
            found = work(block, *shared)
            bar.update(len(block))
            yield found


@contextmanager
def bar_of(blocks: Sequence[Sized], shown: Shown | None) -> Iterator[tqdm[Any]]:
    """A bar that counts what blocks are made of."""
    from tqdm import tqdm

    name, unit = shown or ("", "")
    with tqdm(total=sum(map(len, blocks)), unit=unit, desc=name, disable=None if shown else True) as bar:
        yield bar
