"""Figures as Markdown tables, for documents that are written by a script and not by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import mean, stdev

import polars as pl

from pipeline.evaluation.comparison.paired import excludes_zero

Metrics = Mapping[str, Mapping[str, Mapping[str, float]]]
# Columns of the tables: what the protocols are read by.
SHOWN = (
    ("ctr", "auc"),
    ("ctr", "user_auc"),
    ("impression", "user_auc"),
    ("impression", "ndcg@5"),
    ("impression", "ndcg@10"),
    ("ranking", "ndcg@5"),
    ("ranking", "ndcg@10"),
    ("ranking", "recall@10"),
    ("ranking", "recall@20"),
)

# And of data with a published evaluation: all test pairs pooled, or each user's re-ranked.
SHOWN_OF_PUBLISHED = (
    ("ctr", "user_auc"),
    ("impression", "auc"),
    ("impression", "user_auc"),
    ("impression", "ndcg@5"),
    ("reranking", "ndcg@5"),
    ("reranking", "f1@5"),
    ("ranking", "ndcg@10"),
    ("ranking", "recall@20"),
)
Columns = Sequence[tuple[str, str]]


def systems_table(metrics: Metrics, marks: Mapping[tuple[str, str, str], str], columns: Columns = SHOWN) -> str:
    """All systems, a row each, the best of a column bold; `+` and `-` as in `suite.table`."""
    shown = [key for key in columns if any(key[1] in systems.get(key[0], {}) for systems in metrics.values())]
    best = {
        (protocol, metric): max(
            systems[protocol][metric] for systems in metrics.values() if metric in systems.get(protocol, {})
        )
        for protocol, metric in shown
    }
    rows = []
    for system, protocols in metrics.items():
        cells = []
        for protocol, metric in shown:
            value = protocols.get(protocol, {}).get(metric)
            if value is None:
                cells.append("–")
                continue
            text = number(value)
            text = f"**{text}**" if value == best[protocol, metric] else text
            cells.append(f"{text} {marks.get((system, protocol, metric), '')}".rstrip())
        rows.append([system, *cells])
    return markdown(["system", *(f"{protocol} {metric}" for protocol, metric in shown)], rows)


def differences_table(differences: pl.DataFrame, baseline: str | None = None, least_runs: int = 0) -> str:
    """Paired differences, a row for each system, a column for each metric; bold where the 95% interval excludes zero.

    Args:
        differences: system, protocol, metric, against, difference, low, high, users; one `against` for each of the former. Where
            `least_runs` is given, `runs` too.
        baseline: name of what all are compared with; None shows it in each cell.
        least_runs: training runs below which nothing is bold.
    """
    shown = [key for key in SHOWN if len(differences.filter(protocol=key[0], metric=key[1]))]
    rows = []
    for system in differences["system"].unique(maintain_order=True):
        cells = []
        for protocol, metric in shown:
            part = differences.filter(system=system, protocol=protocol, metric=metric)
            if part.is_empty():
                cells.append("–")
                continue
            row = part.row(0, named=True)
            text = f"{signed(row['difference'])} ({signed(row['low'])} to {signed(row['high'])})"
            is_sure = excludes_zero(row["low"], row["high"]) and (not least_runs or row["runs"] >= least_runs)
            text = f"**{text}**" if is_sure else text
            cells.append(text if baseline else f"{text} {row['against']}")
        rows.append([system, *cells])
    return markdown(["system", *(f"{protocol} {metric}" for protocol, metric in shown)], rows)


def slices_table(slices: pl.DataFrame, systems: Sequence[str]) -> str:
    """Figures by slices of items and users: a row for each slice and metric, a column for each system, the best bold."""
    rows = []
    for (slice_by, name, protocol, metric), part in slices.group_by(
        "slice_by", "slice", "protocol", "metric", maintain_order=True
    ):
        found = dict(part.select("system", "value").iter_rows())
        half = dict(part.select("system", (pl.col("high") - pl.col("low")) / 2).iter_rows())
        values = [found.get(system) for system in systems]
        best = max((value for value in values if value is not None), default=None)
        cells = [
            "–"
            if value is None
            else (f"**{number(value)}**" if value == best else number(value)) + f" ±{number(half[system], 3)}"
            for system, value in zip(systems, values, strict=True)
        ]
        rows.append([f"{slice_by}: {name}", f"{protocol} {metric}", str(part["users"].max()), *cells])
    return markdown(["slice", "figure", "users", *systems], rows)


def cold_table(slices: pl.DataFrame, runs: Mapping[str, Sequence[str]], base: str) -> str:
    """By how much figures of one slice of items differ from those of a variant: a row for each system, means over its runs.

    Args:
        slices: rows of that slice.
        runs: name to the systems that are its runs, the variant among them.
        base: the variant.
    """
    figures = list(dict.fromkeys(slices.select("protocol", "metric").iter_rows()))
    rows = []
    for system in [name for name in runs if name != base]:
        cells = []
        for protocol, metric in figures:
            of_figure = slices.filter(protocol=protocol, metric=metric)
            mine, whole = (
                of_figure.filter(pl.col("system").is_in(runs[name]))["value"].to_list() for name in (system, base)
            )
            cells.append(signed(mean(mine) - mean(whole)) if mine and whole else "–")
        rows.append([system, *cells])
    return markdown(["system", *(f"{protocol} {metric}" for protocol, metric in figures)], rows)


def seeds_table(runs: Mapping[str, Sequence[Mapping[str, Mapping[str, float]]]], columns: Columns = SHOWN) -> str:
    """Mean and standard deviation over training runs.

    Args:
        runs: name to the figures, {protocol: {metric: value}}, of two runs or more.
    """
    rows = []
    for name, figures in runs.items():
        cells = []
        for protocol, metric in columns:
            values = [run[protocol][metric] for run in figures if metric in run.get(protocol, {})]
            cells.append(f"{number(mean(values))} ±{number(stdev(values))}" if len(values) > 1 else "–")
        rows.append([f"{name} ({len(figures)} runs)", *cells])
    return markdown(["system", *(f"{protocol} {metric}" for protocol, metric in columns)], rows)


def markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---", *["--:"] * (len(head) - 1)], *rows]
    cells = ([cell.replace("|", "\\|") for cell in line] for line in lines)
    return "\n".join(f"| {' | '.join(line)} |" for line in cells)


def number(value: float, digits: int = 4) -> str:
    """A figure without the zero before the point: .8235."""
    return f"{value:.{digits}f}".replace("0.", ".", 1) if abs(value) < 1 else f"{value:.{digits}f}"


def signed(value: float) -> str:
    return f"{value:+.4f}".replace("0.", ".", 1)
