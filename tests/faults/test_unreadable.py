"""Files that whoever runs crmman may not read."""

from __future__ import annotations

import pytest

from pipeline.artifacts.data import ITEMS
from tests.faults.injected import unreadable
from tests.faults.outcome import expect_one_line
from tests.faults.world import World
from tests.in_process import run_module
from tests.stages.workspace import KEY

ITEMS_FILE = str(ITEMS.at(KEY))


@pytest.mark.parametrize(
    ("file", "module", "arguments"),
    [
        ("tables/kg.csv", "stages.check_tables", ["--dataset", KEY]),
        ("tables/kg.csv", "stages.fetch", ["--dataset", KEY]),
        ("tables", "stages.fetch", ["--dataset", KEY]),
        ("params.yaml", "stages.fetch", ["--dataset", KEY]),
        (ITEMS_FILE, "stages.evaluate", ["--dataset", KEY, "--variant", "crmman"]),
        (ITEMS_FILE, "stages.cli", ["similar", "--item", "id:i3"]),
    ],
)
def test_what_may_not_be_read_is_one_line(world: World, file: str, module: str, arguments: list[str]) -> None:
    sandbox = world.sandbox("unreadable")
    with sandbox.trial() as root:
        with unreadable(root / file):
            result = run_module(module, *arguments, folder=root)
        expect_one_line(result, 2)
        assert file in result.err
        assert "Permission denied" in result.err
        sandbox.expect_files(world.files)


def test_data_check_of_a_table_that_may_not_be_read_says_so(world: World) -> None:
    sandbox = world.sandbox("unreadable")
    with sandbox.trial() as root, unreadable(root / "tables/kg.csv"):
        result = run_module("stages.cli", "data", "check", "tables", folder=root)
    assert result.code == 2
    assert "Permission denied" in result.out
    assert "Traceback" not in result.err
