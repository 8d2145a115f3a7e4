"""What `crmman tune` searches: for each setting of a system a range or some values, its default always among them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from pipeline.evaluation.baselines.grid import Grid
from pipeline.users.settings import VariantConfig

# How much further than its grid a baseline is searched; and around the value of a grid that has only one.
BEYOND, AROUND = 2.0, 4.0
# Settings of grids that are signed weights: further than their grid there is nothing.
SIGNED = ("dislike_weight",)


@dataclass(frozen=True)
class Range:
    """Numbers from low to high, both included.

    Attributes:
        log: whether they are drawn by their logarithms.
        whole: whether they are whole numbers.
    """

    low: float
    high: float
    log: bool = False
    whole: bool = False

    def with_value(self, value: Any) -> Range:
        return replace(self, low=min(self.low, value), high=max(self.high, value))


@dataclass(frozen=True)
class Choice:
    values: tuple[Any, ...]

    def with_value(self, value: Any) -> Choice:
        return self if value in self.values else replace(self, values=(*self.values, value))


Space = dict[str, Range | Choice]


def space_of_variant(config: VariantConfig) -> Space:
    """
    Args:
        config: as it is for its data: what they have no use for is not searched.
    """
    space: Space = {
        "learning_rate": Range(0.0005, 0.01, log=True),
        "dropout": Range(0.0, 0.7),
        "weight_decay": Choice((0.0, 0.0001, 0.001, 0.01, 0.1)),
        "epochs": Choice((16, 32, 48)),
        "max_history": Choice((50, 100, 200)),
    }
    # An average needs vectors of equal width.
    if config.fusion != "average":
        space["width"] = Choice((32, 64, 128))
    # Found once an epoch is chosen, it need not be searched.
    if "judge" in config.heads and not config.find_shares:
        space["judge_share"] = Range(0.0, 1.5)
    if config.damping:
        space["damping"] = Range(1.0, 100.0, log=True)
    if config.history_dropout and config.count_biases:
        space["targets"] = Choice(("all", "left_out"))
    return {name: dimension.with_value(getattr(config, name)) for name, dimension in space.items()}


def space_of_grid(grid: Grid) -> Space:
    """A range for each list of numbers: what lies between them, and somewhat beyond; empty for a baseline without settings."""
    lists = {name: value for name, value in grid if isinstance(value, list)}
    return {name: _around(name, values) for name, values in lists.items()}


def _around(name: str, values: Sequence[float]) -> Range:
    low, high = min(values), max(values)
    whole = all(isinstance(value, int) for value in values)
    if name in SIGNED:
        return Range(low, high)
    if low <= 0:
        return Range(low, high * BEYOND)
    factor = AROUND if low == high else BEYOND
    if whole:
        return Range(max(1, int(low / factor)), int(high * factor), log=True, whole=True)
    return Range(low / factor, high * factor, log=True)
