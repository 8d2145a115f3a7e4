"""Trials of an area, one after another."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from hypothesis.errors import HypothesisException

from tests.faults.outcome import FaultError
from tests.faults.world import World

Drawn = TypeVar("Drawn")


class TrialNotPossibleError(Exception):
    """What an area needs is not on this machine."""


class Draw:
    """Draws from strategies, and keeps what was drawn to tell it of a trial that failed."""

    def __init__(self, data: st.DataObject) -> None:
        self._data = data
        self.drawn: list[str] = []

    def __call__(self, strategy: st.SearchStrategy[Drawn]) -> Drawn:
        value = self._data.draw(strategy)
        self.drawn.append(repr(value)[:300])
        return value


@dataclass(frozen=True)
class Area:
    """
    Attributes:
        name: as the table has it.
        attempt: makes one trial; raises FaultError, or whatever was not to be raised.
        tries: how many `make test` makes.
        at_length: as `attempt`, for `make faults`, which has more time; None: the same.
    """

    name: str
    attempt: Callable[[World, Draw], None]
    tries: int
    at_length: Callable[[World, Draw], None] | None = None


@dataclass
class Tally:
    tried: int = 0
    seconds: float = 0.0
    failures: list[str] = field(default_factory=list)


def trials(area: Area, world: World, tries: int, first: int, tally: Tally, *, at_length: bool = False) -> None:
    """So many trials of an area, drawn from a seed; fewer where there are no more that differ.

    Args:
        tally: where they are counted, one by one.
    """
    attempt = (at_length and area.at_length) or area.attempt

    # Nothing is drawn again to make a failure smaller: a trial may take a minute.
    @seed(first)
    @settings(
        max_examples=tries + 1,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(st.data())
    def run(data: st.DataObject) -> None:
        # Hypothesis begins with the simplest of all, which would be the same trial from every seed: here it is none.
        if not data.draw(st.booleans()):
            return
        draw = Draw(data)
        start = time.monotonic()
        try:
            attempt(world, draw)
        except (HypothesisException, TrialNotPossibleError):
            raise
        except FaultError as fault:
            tally.failures.append(f"{area.name}: {', '.join(draw.drawn)}: {fault}")
        except Exception:
            tally.failures.append(f"{area.name}: {', '.join(draw.drawn)}: {traceback.format_exc()}")
        finally:
            tally.seconds += time.monotonic() - start
        tally.tried += 1

    run()
