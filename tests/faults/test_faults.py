from __future__ import annotations

import pytest

from tests.faults.areas import AREAS
from tests.faults.campaign import Area, Tally, TrialNotPossibleError, trials
from tests.faults.world import World

SEED = 15


@pytest.mark.parametrize("area", AREAS, ids=[area.name for area in AREAS])
def test_each_trial_ends_well_or_in_one_line(world: World, area: Area) -> None:
    tally = Tally()
    try:
        trials(area, world, area.tries, SEED, tally)
    except TrialNotPossibleError as reason:
        pytest.skip(str(reason))
    assert tally.tried >= 0.9 * area.tries
    assert not tally.failures, "\n\n".join(tally.failures[:10])
