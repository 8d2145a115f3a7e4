from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.faults.world import World
from tests.stages.conftest import everything_has_run


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """The workspace of the stages' tests, in copies. Of a module: a Chromium that is still open keeps other tests from opening one."""
    finished = everything_has_run(tmp_path_factory.getbasetemp())
    made = World(finished.workspace, finished.files, tmp_path_factory.mktemp("faults"))
    with made.closing:
        yield made
