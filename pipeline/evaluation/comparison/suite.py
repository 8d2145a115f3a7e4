"""All systems side by side: figures, intervals, paired differences, slices, and the table a person reads."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from pydantic import Field

from pipeline.common.config import Config
from pipeline.common.random_streams import stream
from pipeline.data.dataset import Dataset
from pipeline.evaluation.comparison.intervals import Figure, mean_figure, pooled_figure
from pipeline.evaluation.comparison.paired import ENOUGH_RUNS, Runs, against_best, compare, excludes_zero
from pipeline.evaluation.metrics.registry import (
    METRICS,
    OF_CATALOGUE,
    OF_LISTS,
    POOLED,
    PROTOCOLS,
    compared_in,
    names_of,
)
from pipeline.evaluation.protocols.split import PerUser, ScoredPairs
from pipeline.evaluation.systems.several import Systems
from pipeline.evaluation.systems.slices import Slices, by_user
from pipeline.evaluation.systems.system import THRESHOLD


def alone(systems: Iterable[str]) -> Runs:
    """Systems of one run each, as `compare_systems` takes them."""
    return {name: [name] for name in systems}


class ComparisonConfig(Config):
    bootstrap_samples: int = Field(ge=20, description="Resamples of users for each 95% interval")


@dataclass(frozen=True)
class Comparison:
    """All systems side by side.

    Attributes:
        figures: (system, protocol, metric) to value and interval.
        differences: as from `compare`.
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
    systems: Systems,
    data: Dataset,
    comparisons: Sequence[tuple[Runs, Runs]],
    config: ComparisonConfig,
    seed: int,
) -> Comparison:
    """Figures of all systems, and how far each variant is from each system it is compared with.

    Args:
        systems: all of them, the ones shown first coming first.
        data: for the slices of users.
        comparisons: systems, and those that each of them is compared with; name to the systems that are its runs.
    """
    figures: dict[tuple[str, str, str], Figure] = {}
    slices = []
    for system, values in systems.per_user.items():
        found = _figures(values, systems.pairs[system], systems.facts[system], config.bootstrap_samples, seed)
        figures |= {(system, protocol, metric): figure for (protocol, metric), figure in found.items()}
        frame = slice_figures(
            systems.item_slices.get(system, {}) | by_user(values, data), config.bootstrap_samples, seed
        )
        slices.append(
            frame.select("slice_by", "slice", pl.lit(system).alias("system"), pl.exclude("slice_by", "slice"))
        )
    differences = pl.concat(
        [
            compare(systems.per_user, variants, against, config.bootstrap_samples, seed, systems.pairs)
            for variants, against in comparisons
        ]
    )
    return Comparison(figures, differences, pl.concat(slices))


def _figures(
    per_user: Mapping[tuple[str, str], PerUser],
    pairs: Mapping[str, ScoredPairs],
    facts: Mapping[str, float],
    samples: int,
    seed: int,
) -> dict[tuple[str, str], Figure]:
    """Figures in the order of `METRICS`. Every system meets the same resampled users."""
    found: dict[tuple[str, str], Figure] = {}
    for pooled in POOLED:
        scored = pairs.get(pooled.protocol)
        if scored is None or not scored.labels.any() or scored.labels.all():
            continue
        threshold = facts.get(THRESHOLD.format(protocol=pooled.protocol))
        if pooled.needs_threshold and threshold is None:
            continue
        found[pooled.protocol, pooled.name] = pooled_figure(
            pooled.function(scored, threshold), samples, stream(seed, f"bootstrap {pooled.protocol}")
        )
    for (protocol, metric), values in per_user.items():
        if len(values.values):
            found[protocol, metric] = mean_figure(values, samples, stream(seed, f"bootstrap {protocol}"))
    users = len(per_user["ranking", "ndcg@10"].users) if ("ranking", "ndcg@10") in per_user else 0
    for whole in OF_CATALOGUE:
        found[whole.protocol, whole.name] = Figure(facts[f"{whole.protocol} {whole.name}"], None, None, users)
    for of_lists in OF_LISTS:
        fact = facts.get(f"{of_lists.protocol} {of_lists.name}")
        if fact is not None:
            found[of_lists.protocol, of_lists.name] = Figure(fact, None, None, users)
    order = [(metric.protocol, metric.name) for metric in METRICS]
    return {key: found[key] for key in order if key in found and np.isfinite(found[key].value)}


def slice_figures(slices: Slices, samples: int, seed: int) -> pl.DataFrame:
    """Means and their 95% intervals: slice_by, slice, protocol, metric, value, low, high, users.

    Every figure has a stream of its own from the start, so that every system meets the same resampled users.
    """
    rows = [
        {"slice_by": slice_by, "slice": name, "protocol": protocol, "metric": metric}
        | mean_figure(values, samples, stream(seed, f"bootstrap {slice_by}"))._asdict()
        for (slice_by, name, protocol, metric), values in slices.items()
    ]
    schema = dict.fromkeys(("slice_by", "slice", "protocol", "metric"), pl.String)
    return pl.DataFrame(rows, schema=schema | dict.fromkeys(("value", "low", "high"), pl.Float64) | {"users": pl.Int32})


def over_enough_runs(differences: pl.DataFrame) -> pl.DataFrame:
    """Of the rows of `compare` those over so many runs of both sides that their intervals know what seeds change."""
    return differences.filter(pl.col("runs") >= ENOUGH_RUNS)


def marks_of(differences: pl.DataFrame) -> dict[tuple[str, str, str], str]:
    """`+` where a variant is above the best system it is compared with, `-` where below, by a difference whose interval excludes zero."""
    return {
        (row["system"], row["protocol"], row["metric"]): "+" if row["low"] > 0 else "-"
        for row in against_best(differences).iter_rows(named=True)
        if excludes_zero(row["low"], row["high"])
    }


def table(
    metrics: dict[str, dict[str, dict[str, float]]],
    intervals: pl.DataFrame,
    differences: pl.DataFrame,
    against: str = "the best baseline",
) -> str:
    """The figures as text: a block for each protocol, a row for each system, the best of a tested column marked by `*`.

    Args:
        against: what `+` and `-` compare with, in words.
    """
    marks = marks_of(differences)
    name_width = max(12, *(len(system) + 2 for system in metrics))
    half = {
        (row["system"], row["protocol"], row["metric"]): (row["high"] - row["low"]) / 2
        for row in intervals.iter_rows(named=True)
        if row["low"] is not None
    }
    lines: list[str] = []
    untested = []
    for protocol in PROTOCOLS:
        shown = [
            name
            for name in names_of(protocol)
            if any(name in systems.get(protocol, {}) for systems in metrics.values())
        ]
        if not shown:
            continue
        untested += [name for name in shown if name not in compared_in(protocol)]
        widths = [max(16, len(metric) + 2) for metric in shown]
        header = "".join(f"{metric:>{width}}" for metric, width in zip(shown, widths, strict=True))
        lines += ["", f"{protocol:<{name_width}}" + header]
        for system, protocols in metrics.items():
            cells = [
                _cell(protocols.get(protocol, {}), metric, half.get((system, protocol, metric)), metrics, protocol)
                + marks.get((system, protocol, metric), " ")
                for metric in shown
            ]
            row = "".join(f"{cell:>{width}}" for cell, width in zip(cells, widths, strict=True))
            lines.append(f"{system:<{name_width}}" + row)
    lines += [
        "",
        "* best of its column; ± half of the 95% interval (bootstrap over users);",
        f"+ above {against}, - below, by a paired difference whose 95% interval excludes zero",
    ]
    # A figure may be of more than one protocol.
    untested = list(dict.fromkeys(untested))
    if untested:
        lines[-1] += ";"
        lines.append(f"no mark at all in {', '.join(untested)}: systems are not compared by {_them(untested)}")
    return "\n".join(lines[1:])


def _them(names: list[str]) -> str:
    return "them" if len(names) > 1 else "it"


def _cell(values: dict[str, float], metric: str, half: float | None, metrics: dict[str, Any], protocol: str) -> str:
    if metric not in values:
        return "-"
    best = max(system[protocol][metric] for system in metrics.values() if metric in system.get(protocol, {}))
    mark = "*" if values[metric] == best and metric in compared_in(protocol) else ""
    spread = f" ±{half:.3f}".replace("±0.", "±.") if half is not None else ""
    value = f"{values[metric]:.4f}"
    return f"{mark}{value.removeprefix('0') if value.startswith('0.') else value}{spread}"


def unchanged(metrics: Mapping[str, Mapping[str, Mapping[str, float]]], variant: str, ablations: Runs) -> list[str]:
    """Ablations with every figure of the variant, to the last digit: the data leave what they change out of it anyway.

    Args:
        metrics: {system: {protocol: {metric: value}}}.
        ablations: name to the systems that are its runs, the first of which has the variant's seed; the variant itself may be there.
    """
    return [name for name, runs in ablations.items() if name != variant and metrics[runs[0]] == metrics[variant]]


def seeds_note(differences: pl.DataFrame) -> str:
    """Which of the compared systems may bear marks, and why the others do not."""
    few = differences.filter(pl.col("runs") < ENOUGH_RUNS)["system"].unique(maintain_order=True).to_list()
    if not few:
        return f"intervals of differences resample users and training runs, {ENOUGH_RUNS} or more of each system"
    return (
        f"no mark for {', '.join(few)}: fewer than {ENOUGH_RUNS} training runs, of them or of the variant, and a difference may be that "
        "of two seeds"
    )
