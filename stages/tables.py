"""What systems left of their evaluation, written and read back."""

from __future__ import annotations

from pipeline.artifacts import all as artifacts
from pipeline.evaluation.systems.system import SystemTables


def write_tables(tables: SystemTables, dataset: str, names: dict[str, str]) -> None:
    artifacts.PER_USER.of(**names).write(tables.per_user, dataset)
    artifacts.PAIRS.of(**names).write(tables.pairs, dataset)
    artifacts.ITEM_SLICES.of(**names).write(tables.item_slices, dataset)
    artifacts.FACTS.of(**names).write(tables.facts, dataset)


def read_tables(dataset: str, names: dict[str, str]) -> SystemTables:
    return SystemTables(
        artifacts.PER_USER.of(**names).read(dataset),
        artifacts.PAIRS.of(**names).read(dataset),
        artifacts.ITEM_SLICES.of(**names).read(dataset),
        artifacts.FACTS.of(**names).read(dataset),
    )
