"""What a baseline is: values to try of its settings, and how a system comes of each."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from typing import ClassVar

from pipeline.common.config import Config
from pipeline.data.dataset import Dataset
from pipeline.evaluation.protocols.scores import Scorer

Fit = Callable[[Dataset], Scorer]


class Grid(Config):
    """Values to try; the setting with the best validation figure runs on the test split.

    Attributes:
        learns_from_dislikes: such a system is there for the protocol that ranks dislikes, and its setting is chosen by a figure of that.
            Chosen by one of another protocol it would be weakened at its own.
        reads_graph: its fits need the data set's `entities`.
    """

    learns_from_dislikes: ClassVar[bool] = False
    reads_graph: ClassVar[bool] = False

    @abstractmethod
    def settings(self, seed: int, threads: int) -> Mapping[str, Fit]:
        """What is tried, by its values in words; a baseline without settings has one, without words.

        Args:
            threads: of a library that has threads of its own; 0: as many as there are processors. They change no byte.
        """

    def settings_after(self, best: str, data: Dataset, seed: int, threads: int) -> Mapping[str, Fit]:
        """What is tried after those, given the best of all so far, until there is nothing that was not tried."""
        return {}

    def left_out(self, data: Dataset) -> str | None:
        """Why the baseline is too large for a data set; None: it is not."""
        return None
