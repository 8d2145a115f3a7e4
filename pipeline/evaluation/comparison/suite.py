"""All systems side by side: figures, intervals, paired differences, slices, and the table a person reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from pydantic import Field

from pipeline.common.config import Config
from pipeline.common.random_streams import stream
from pipeline.data.dataset import Dataset
from pipeline.evaluation.comparison.intervals import Figure, mean_figure, pooled_auc_figure, threshold_figures
from pipeline.evaluation.comparison.paired import against_best, compare, excludes_zero
from pipeline.evaluation.protocols.split import PerUser, ScoredPairs
from pipeline.evaluation.systems.slices import POPULARITY, by_user, slice_figures
from pipeline.evaluation.systems.system import COVERAGE, THRESHOLD, SystemTables, pairs_of, per_user_of, values_of

PROTOCOLS = ("ctr", "impression", "ranking")
METRICS = (
    "auc",
    "user_auc",
    "accuracy",
    "f1",
    "mrr",
    "ndcg@5",
    "ndcg@10",
    "recall@10",
    "recall@20",
    "hit@10",
    "coverage@10",
)


class ComparisonConfig(Config):
    bootstrap_samples: int = Field(ge=20, description="Resamplings of users for each 95% interval")


@dataclass(frozen=True)
class Comparison:
    """All systems side by side.

    Attributes:
        figures: (system, protocol, metric) to value and interval.
        differences: each variant against each system it is compared with.
        slices: slice_by, slice, system, protocol, metric, value, low, high, users.
    """

    figures: dict[tuple[str, str, str], Figure]
    differences: pl.DataFrame
    slices: pl.DataFrame

    def as_nested(self) -> dict[str, dict[str, dict[str, float]]]:
        """{system: {protocol: {metric: value}}}."""
        nested: dict[str, dict[str, dict[str, float]]] = {}
        for (system, protocol, metric), figure in self.figures.items():
            nested.setdefault(system, {}).setdefault(protocol, {})[metric] = figure.value
        return nested

    def intervals(self) -> pl.DataFrame:
        """system, protocol, metric, value, low, high, users."""
        rows = [
            {"system": s, "protocol": p, "metric": m, **figure._asdict()} for (s, p, m), figure in self.figures.items()
        ]
        return pl.DataFrame(rows, schema_overrides={"users": pl.Int32, "low": pl.Float64, "high": pl.Float64})


def compare_systems(
    tables: SystemTables,
    data: Dataset,
    variants: Sequence[str],
    against: Sequence[str],
    config: ComparisonConfig,
    seed: int,
) -> Comparison:
    """Figures of all systems, and how far each variant is from each system it is compared with.

    Args:
        tables: of all systems, the ones shown first coming first.
        data: for the slices of users.
        variants: systems that are compared; against: with these.
    """
    per_user, pairs = per_user_of(tables.per_user), pairs_of(tables.pairs)
    facts = {
        (system, fact): value for system, fact, value in tables.facts.select("system", "fact", "value").iter_rows()
    }
    figures: dict[tuple[str, str, str], Figure] = {}
    slices = []
    item_slices = tables.item_slices.partition_by("system", "slice", "protocol", "metric", as_dict=True)
    for system, values in per_user.items():
        own = {fact: value for (name, fact), value in facts.items() if name == system}
        found = _figures(values, pairs[system], own, config.bootstrap_samples, seed)
        figures |= {(system, protocol, metric): figure for (protocol, metric), figure in found.items()}
        parts = {
            (POPULARITY, str(key[1]), str(key[2]), str(key[3])): values_of(part)
            for key, part in item_slices.items()
            if key[0] == system
        }
        frame = slice_figures(parts | by_user(values, data), config.bootstrap_samples, seed)
        slices.append(
            frame.select("slice_by", "slice", pl.lit(system).alias("system"), pl.exclude("slice_by", "slice"))
        )
    differences = compare(per_user, variants, against, config.bootstrap_samples, seed, pairs)
    return Comparison(figures, differences, pl.concat(slices))


def _figures(
    per_user: Mapping[tuple[str, str], PerUser],
    pairs: Mapping[str, ScoredPairs],
    facts: Mapping[str, float],
    samples: int,
    seed: int,
) -> dict[tuple[str, str], Figure]:
    """Figures in the order of PROTOCOLS and METRICS. Every system meets the same resampled users."""
    found: dict[tuple[str, str], Figure] = {}
    of_both_kinds = {name: scored for name, scored in pairs.items() if scored.labels.any() and not scored.labels.all()}
    for protocol, scored in of_both_kinds.items():
        found[protocol, "auc"] = pooled_auc_figure(scored, samples, stream(seed, f"bootstrap {protocol}"))
    if THRESHOLD in facts and "ctr" in of_both_kinds:
        called = threshold_figures(pairs["ctr"], facts[THRESHOLD], samples, stream(seed, "bootstrap ctr"))
        found |= {("ctr", metric): figure for metric, figure in called.items()}
    for (protocol, metric), values in per_user.items():
        if len(values.values):
            found[protocol, metric] = mean_figure(values, samples, stream(seed, f"bootstrap {protocol}"))
    users = len(per_user["ranking", "ndcg@10"].users) if ("ranking", "ndcg@10") in per_user else 0
    found["ranking", "coverage@10"] = Figure(facts[COVERAGE], None, None, users)
    order = [(protocol, metric) for protocol in PROTOCOLS for metric in METRICS]
    return {key: found[key] for key in order if key in found and np.isfinite(found[key].value)}


def marks_of(differences: pl.DataFrame) -> dict[tuple[str, str, str], str]:
    """`+` where a variant is above the best system it is compared with beyond chance, `-` where below."""
    return {
        (row["system"], row["protocol"], row["metric"]): "+" if row["low"] > 0 else "-"
        for row in against_best(differences).iter_rows(named=True)
        if excludes_zero(row["low"], row["high"])
    }


def table(metrics: dict[str, dict[str, dict[str, float]]], intervals: pl.DataFrame, differences: pl.DataFrame) -> str:
    """The figures as text: a block for each protocol, a row for each system, the best of a column marked by `*`."""
    marks = marks_of(differences)
    name_width = max(12, *(len(system) + 2 for system in metrics))
    half = {
        (row["system"], row["protocol"], row["metric"]): (row["high"] - row["low"]) / 2
        for row in intervals.iter_rows(named=True)
        if row["low"] is not None
    }
    lines: list[str] = []
    for protocol in PROTOCOLS:
        shown = [
            metric for metric in METRICS if any(metric in systems.get(protocol, {}) for systems in metrics.values())
        ]
        if not shown:
            continue
        lines += ["", f"{protocol:<{name_width}}" + "".join(f"{metric:>16}" for metric in shown)]
        for system, protocols in metrics.items():
            cells = [
                _cell(protocols.get(protocol, {}), metric, half.get((system, protocol, metric)), metrics, protocol)
                + marks.get((system, protocol, metric), " ")
                for metric in shown
            ]
            lines.append(f"{system:<{name_width}}" + "".join(f"{cell:>16}" for cell in cells))
    lines += [
        "",
        "* best of its column; ± half of the 95% interval (bootstrap over users);",
        "+ above the best baseline, - below it, by a paired difference whose 95% interval excludes zero",
    ]
    return "\n".join(lines[1:])


def _cell(values: dict[str, float], metric: str, half: float | None, metrics: dict[str, Any], protocol: str) -> str:
    if metric not in values:
        return "-"
    best = max(system[protocol][metric] for system in metrics.values() if metric in system.get(protocol, {}))
    mark = "*" if values[metric] == best else ""
    spread = f" ±{half:.3f}".replace("0.", ".") if half is not None else ""
    return f"{mark}{values[metric]:.4f}{spread}".replace("0.", ".", 1)
