"""The figures as tables: a table for each protocol, a row for each system, the best of a column in bold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import polars as pl

from pipeline.artifacts.evaluation import METRICS
from pipeline.evaluation.comparison.suite import marks_of
from pipeline.evaluation.metrics.registry import PROTOCOLS, compared_in, names_of

Metrics = Mapping[str, Mapping[str, Mapping[str, float]]]
EXPLAINED = {
    "ctr": "Does an item that the person liked score above one that they never rated? Likes of the test split against as many "
    "items drawn at random.",
    "impression": "Of the items that the person did rate in the test split, do the likes come before the dislikes?",
    "reranking": "The same items, and people who like all of theirs count too, as in published figures for fixed test splits.",
    "ranking": "All items that the person had not rated before are ranked: how many of the test split's likes come out on top? "
    "Coverage is the share of all items that are in anybody's top ten; Gini says how unevenly (0: all equally often), novelty how little "
    "known the items there are (in bits: one more for half as many likes), diversity how unlike each other (1 - mean cosine).",
}


class Cell(NamedTuple):
    """A figure as it is shown; all are empty where a system has none.

    Attributes:
        spread: half of its 95% interval.
        best: whether it is the highest of its column, and systems are compared by that column.
        mark: "+" above the best baseline, "-" below, by a difference whose interval excludes zero.
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


def metrics_of(intervals: pl.DataFrame) -> Metrics:
    """System to protocol to metric to value, as they are committed and printed.

    Args:
        intervals: system, protocol, metric, value.
    """
    nested: dict[str, dict[str, dict[str, float]]] = {}
    for system, protocol, metric, value in intervals.select("system", "protocol", "metric", "value").iter_rows():
        nested.setdefault(system, {}).setdefault(protocol, {})[metric] = METRICS.rounded(value)
    return nested


def protocol_tables(
    metrics: Metrics, intervals: pl.DataFrame, differences: pl.DataFrame, variants: Sequence[str]
) -> list[ProtocolTable]:
    """
    Args:
        metrics: of `metrics_of`.
        intervals: system, protocol, metric, low, high.
        differences: of variants and baselines.
        variants: these come first, in this order; baselines by name.
    """
    marks = marks_of(differences)
    spreads = {
        (system, protocol, metric): short(f"{(high - low) / 2:.3f}")
        for system, protocol, metric, low, high in intervals.select(
            "system", "protocol", "metric", "low", "high"
        ).iter_rows()
        if low is not None
    }
    systems = [*variants, *sorted(set(metrics) - set(variants))]
    tables = []
    for protocol in PROTOCOLS:
        of_protocol = {system: metrics[system].get(protocol, {}) for system in systems}
        names = [name for name in names_of(protocol) if any(name in values for values in of_protocol.values())]
        if not names:
            continue
        best = {
            name: max(values[name] for values in of_protocol.values() if name in values)
            for name in names
            if name in compared_in(protocol)
        }
        rows = []
        for system, values in of_protocol.items():
            cells = []
            for name in names:
                key = (system, protocol, name)
                value, is_best = (
                    (short(f"{values[name]:.4f}"), values[name] == best.get(name)) if name in values else ("", False)
                )
                cells.append(Cell(value, spreads.get(key, ""), is_best, marks.get(key, "")))
            rows.append(Row(system, system in variants, cells))
        tables.append(ProtocolTable(protocol, EXPLAINED[protocol], names, rows))
    return tables


def best_baseline(metrics: Metrics, variants: Sequence[str]) -> str | None:
    """The baseline with the highest ranking NDCG@10, the first by name of equals; None where there are no baselines."""
    baselines = sorted(set(metrics) - set(variants))
    return max(baselines, key=lambda name: metrics[name]["ranking"]["ndcg@10"], default=None)


def short(number: str) -> str:
    """A number below one without its leading zero."""
    return number.replace("0.", ".", 1) if number.startswith(("0.", "-0.")) else number
