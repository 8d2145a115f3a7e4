"""`make faults`: trials of every area from fresh seeds, for as long as one says; and the table of what came of them."""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.faults.areas import AREAS
from tests.faults.campaign import Tally, TrialNotPossibleError, trials
from tests.faults.world import World
from tests.repository import ROOT

# So many seconds of an area, and the next one's turn comes.
TURN_SECONDS = 10.0


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--seed", type=int, help="of all trials; by default another one each time")
    parser.add_argument("--only", default="", help="areas whose names have these words")
    asked = parser.parse_args()
    seed = asked.seed if asked.seed is not None else random.SystemRandom().randrange(1 << 32)
    areas = [area for area in AREAS if asked.only in area.name]
    print(f"seed {seed}, {asked.minutes:g} minutes; commit {_commit()}", flush=True)
    tallies = {area.name: Tally() for area in areas}
    with tempfile.TemporaryDirectory(prefix="crmman-faults-") as folder:
        world = World.make(Path(folder))
        with world.closing:
            numbers, left = random.Random(seed), list(areas)
            end = time.monotonic() + 60 * asked.minutes
            while left and time.monotonic() < end:
                for area in list(left):
                    tally, turn = tallies[area.name], time.monotonic() + TURN_SECONDS
                    while time.monotonic() < min(turn, end):
                        # About as many as a turn takes.
                        pace = tally.seconds / tally.tried if tally.tried else TURN_SECONDS / 5
                        tries = max(1, min(200, int((turn - time.monotonic()) / pace)))
                        try:
                            found = trials(area, world, tries, numbers.randrange(1 << 32), at_length=True)
                        except TrialNotPossibleError as reason:
                            print(f"{area.name}: left out: {reason}", file=sys.stderr)
                            left.remove(area)
                            break
                        tally.add(found)
                        for failure in found.failures:
                            print(f"\n{failure}", file=sys.stderr, flush=True)
    print(table(tallies))
    sys.exit(any(tally.failures for tally in tallies.values()))


def table(tallies: dict[str, Tally]) -> str:
    rows = [f"| {name} | {tally.tried} | {len(tally.failures)} |" for name, tally in tallies.items()]
    tried, failed = (sum(count) for count in zip(*((t.tried, len(t.failures)) for t in tallies.values()), strict=True))
    return "\n".join(["| area | tried | failures |", "|---|---|---|", *rows, f"| all | {tried} | {failed} |"])


def _commit() -> str:
    asked = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return asked.stdout.strip() or "unknown"


if __name__ == "__main__":
    main()
