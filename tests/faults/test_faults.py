from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from pipeline.artifacts.added import MORE_ITEMS
from pipeline.artifacts.data import SOURCE_IMAGES, SOURCE_INTERACTIONS, SOURCE_ITEMS, SOURCE_VECTORS
from pipeline.artifacts.graph import EDGES
from pipeline.artifacts.kinds import together
from pipeline.common.errors import InputError
from tests.faults.areas import AREAS
from tests.faults.campaign import Area, Tally, TrialNotPossibleError, trials
from tests.faults.damaged import another_version, is_read, readers, swaps
from tests.faults.world import Found, World
from tests.stages.workspace import KEY

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


# Each is read by one stage alone, which has nothing beside it that is made of it, but for added items, of which there are none here; nor
# are there images or vectors. The item graph is read by others as `DERIVED_EDGES`.
ALONE = {
    *(kind.path for kind in (SOURCE_IMAGES, SOURCE_INTERACTIONS, SOURCE_ITEMS, SOURCE_VECTORS)),
    EDGES.path,
    MORE_ITEMS.path,
}


def test_each_kind_of_file_is_refused_in_another_version(world: World, tmp_path: Path) -> None:
    of_kind = world.once(swaps)
    assert {kind for kind, found in of_kind.items() if not found} == ALONE
    for found in of_kind.values():
        # One that is itself another version, and one that is made of another.
        for swap in {swap.part is None: swap for swap in found}.values():
            files = [each for run, each in world.once(readers) if run == swap.run and is_read(run, each)]
            for each in files:
                (tmp_path / each.file).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(world.finished.root / each.file, tmp_path / each.file)
            swapped = tmp_path / swap.found.file
            swapped.write_bytes(another_version(swapped.read_bytes(), swap))
            with pytest.raises(InputError, match="made from another"):
                read_together(files, tmp_path)


def read_together(files: list[Found], root: Path) -> None:
    with together():
        for each in files:
            each.artifact.read(KEY, root)  # type: ignore[attr-defined]
