"""What systems left of their evaluation, written and read back."""

from __future__ import annotations

from pipeline.artifacts.evaluation import FACTS, ITEM_SLICES, LISTS, PAIRS, PER_USER
from pipeline.artifacts.kinds import Table
from pipeline.evaluation.systems.system import SystemTables

TABLES = (PER_USER, PAIRS, ITEM_SLICES, FACTS, LISTS)


def of_systems(names: dict[str, str]) -> list[Table]:
    """The tables of some systems: of a group of variants, or of the baselines."""
    return [table.of(**names) for table in TABLES]


def write_tables(tables: SystemTables, dataset: str, names: dict[str, str]) -> None:
    PER_USER.of(**names).write(tables.per_user, dataset)
    PAIRS.of(**names).write(tables.pairs, dataset)
    ITEM_SLICES.of(**names).write(tables.item_slices, dataset)
    FACTS.of(**names).write(tables.facts, dataset)
    LISTS.of(**names).write(tables.lists, dataset)


def read_tables(dataset: str, names: dict[str, str]) -> SystemTables:
    return SystemTables(
        PER_USER.of(**names).read(dataset),
        PAIRS.of(**names).read(dataset),
        ITEM_SLICES.of(**names).read(dataset),
        FACTS.of(**names).read(dataset),
        LISTS.of(**names).read(dataset),
    )
