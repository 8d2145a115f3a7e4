"""`make faults`: trials of every area from fresh seeds, for as long as one says; and the table of what came of them."""

from __future__ import annotations

import argparse
import random
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from tests.faults.areas import AREAS
from tests.faults.campaign import Area, Tally, TrialNotPossibleError, trials
from tests.faults.world import World
from tests.repository import ROOT

# Each area has so many trials before any has more; a turn is as many trials as take so many seconds.
FEWEST, TURN_SECONDS = 15, 10.0
MOST_A_TURN = 200


class EnoughError(BaseException):
    """Ctrl-C. It is nothing that a stage or hypothesis would catch, as they would KeyboardInterrupt."""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--seed", type=int, help="of all trials; by default another one each time")
    parser.add_argument("--only", default="", help="areas whose names have these words")
    asked = parser.parse_args()
    seed = asked.seed if asked.seed is not None else random.SystemRandom().randrange(1 << 32)
    tallies = {area: Tally() for area in AREAS if asked.only in area.name}
    print(f"seed {seed}, {asked.minutes:g} minutes; commit {_commit()}", flush=True)
    signal.signal(signal.SIGINT, _enough)
    with tempfile.TemporaryDirectory(prefix="crmman-faults-") as folder, suppress(EnoughError):
        world = World.make(Path(folder))
        with world.closing:
            try:
                take_turns(tallies, world, random.Random(seed), time.monotonic() + 60 * asked.minutes)
            finally:
                print(table(tallies), flush=True)
    sys.exit(any(tally.failures for tally in tallies.values()))


def take_turns(tallies: dict[Area, Tally], world: World, numbers: random.Random, end: float) -> None:
    """Trials of all areas in turn until the clock says `end`: first of those that have had few, then of those that have had least time."""
    left, next_turn = list(tallies), dict.fromkeys(tallies, 1)
    while left and time.monotonic() < end:
        area = min(left, key=lambda each: (tallies[each].tried >= FEWEST, tallies[each].seconds))
        tally = tallies[area]
        tried, seconds, failed = tally.tried, tally.seconds, len(tally.failures)
        try:
            trials(area, world, next_turn[area], numbers.randrange(1 << 32), tally, at_length=True)
        except TrialNotPossibleError as reason:
            print(f"{area.name}: left out: {reason}", file=sys.stderr)
            left.remove(area)
        finally:
            for failure in tally.failures[failed:]:
                print(f"\n{failure}", file=sys.stderr, flush=True)
        # At the pace of this turn: the first one has made what the others need.
        pace = max(tally.seconds - seconds, 1e-3) / max(tally.tried - tried, 1)
        next_turn[area] = max(1, min(MOST_A_TURN, int(min(TURN_SECONDS, end - time.monotonic()) / pace)))


def table(tallies: dict[Area, Tally]) -> str:
    rows = [(area.name, each.tried, len(each.failures), each.seconds / 60) for area, each in tallies.items()]
    rows.append(("all", *(sum(count) for count in zip(*(row[1:] for row in rows), strict=True))))
    lines = [f"| {name} | {tried} | {failed} | {minutes:.1f} |" for name, tried, failed, minutes in rows]
    return "\n".join(["| area | tried | failures | minutes |", "|---|---|---|---|", *lines])


def _enough(*_: object) -> None:
    raise EnoughError


def _commit() -> str:
    asked = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return asked.stdout.strip() or "unknown"


if __name__ == "__main__":
    main()
