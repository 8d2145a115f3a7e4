"""The figures as tables: a table for each protocol, a row for each system, the best of a column in bold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import polars as pl

from pipeline.evaluation.suite import METRICS, PROTOCOLS, marks_of

EXPLAINED = {
    "ctr": "Does an item that the person liked score above one that they never rated? Likes of the test split against as many "
    "items drawn at random.",
    "impression": "Of the items that the person did rate in the test split, do the likes come before the dislikes?",
    "ranking": "All items that the person had not rated before are ranked: how many of the test split's likes come out on top? "
    "Coverage is the share of all items that stand in anybody's first ten.",
}


class Cell(NamedTuple):
    """A figure as it is shown; all are empty where a system has none.

    Attributes:
        spread: half of its 95% interval.
        best: whether it is the highest of its column.
        mark: "+" above the best baseline beyond chance, "-" below.
    """

    value: str
    spread: str
    best: bool
    mark: str


@dataclass(frozen=True)
class Row:
    """Attributes: variant: whether the system is one, or a baseline."""

    system: str
    variant: bool
    cells: list[Cell]


@dataclass(frozen=True)
class ProtocolTable:
    """Attributes: metrics: names of the columns."""

    protocol: str
    explained: str
    metrics: list[str]
    rows: list[Row]


def protocol_tables(intervals: pl.DataFrame, differences: pl.DataFrame, variants: Sequence[str]) -> list[ProtocolTable]:
    """
    Args:
        intervals: system, protocol, metric, value, low, high.
        differences: of variants and baselines.
        variants: these come first, in this order; baselines by name.
    """
    figures = {(row["system"], row["protocol"], row["metric"]): row for row in intervals.iter_rows(named=True)}
    marks = marks_of(differences)
    baselines = sorted(set(intervals["system"]) - set(variants))
    tables = []
    for protocol in PROTOCOLS:
        metrics = [name for name in METRICS if any(key[1:] == (protocol, name) for key in figures)]
        if not metrics:
            continue
        best = {
            name: max(row["value"] for key, row in figures.items() if key[1:] == (protocol, name)) for name in metrics
        }
        rows = []
        for system in [*variants, *baselines]:
            cells = []
            for name in metrics:
                row = figures.get((system, protocol, name))
                if row is None:
                    cells.append(Cell("", "", False, ""))
                    continue
                spread = "" if row["low"] is None else short(f"{(row['high'] - row['low']) / 2:.3f}")
                mark = marks.get((system, protocol, name), "")
                cells.append(Cell(short(f"{row['value']:.4f}"), spread, row["value"] == best[name], mark))
            rows.append(Row(system, system in variants, cells))
        tables.append(ProtocolTable(protocol, EXPLAINED[protocol], metrics, rows))
    return tables


def best_baseline(intervals: pl.DataFrame, variants: Sequence[str]) -> str | None:
    """The baseline with the highest ranking NDCG@10; None where there are no baselines."""
    ranked = intervals.filter(
        (pl.col("protocol") == "ranking") & (pl.col("metric") == "ndcg@10") & ~pl.col("system").is_in(list(variants))
    ).sort("value", "system", descending=[True, False])
    return None if ranked.is_empty() else str(ranked["system"][0])


def short(number: str) -> str:
    """A number below one without its leading zero."""
    return number.replace("0.", ".", 1) if number.startswith(("0.", "-0.")) else number
