"""Where a model is good and where it is not: its figures by slices, and what stands out in them."""

from __future__ import annotations

from typing import Any, NamedTuple

import polars as pl

from pipeline.evaluation.systems.slices import (
    CATALOGUE,
    COLD_LIKES,
    DISLIKES,
    HISTORY,
    ITEM_SLICES,
    POPULARITY,
    USER_SLICES,
    WITHIN,
)
from pipeline.report.figures import short


class Panel(NamedTuple):
    """One way to slice, read by one metric.

    Attributes:
        title: the question that it answers.
        metric: as it is called in the page.
    """

    slice_by: str
    slices: tuple[str, ...]
    protocol: str
    name: str
    title: str
    metric: str

    def of(self, slices: pl.DataFrame) -> pl.DataFrame:
        chosen = [(pl.col(column) == getattr(self, column)) for column in ("slice_by", "protocol")]
        return slices.filter(*chosen, pl.col("metric") == self.name)


PANELS = {
    "found": Panel(
        POPULARITY,
        ITEM_SLICES,
        CATALOGUE,
        "recall@100",
        "Likes found among all items, by item popularity",
        "recall@100",
    ),
    "within": Panel(
        POPULARITY,
        ITEM_SLICES,
        WITHIN,
        "ndcg@10",
        "Ranked among items of similar popularity",
        "NDCG@10 within the slice",
    ),
    "history": Panel(HISTORY, USER_SLICES[HISTORY], "ranking", "ndcg@10", "Users by length of history", "NDCG@10"),
    "dislikes": Panel(DISLIKES, USER_SLICES[DISLIKES], "impression", "ndcg@5", "Users by share of dislikes", "NDCG@5"),
}
WHO = {POPULARITY: "{} items", HISTORY: "users with a {} history", DISLIKES: "users with {} dislikes"}
SLICES_EXPLAINED = (
    f"Cold items have at most {COLD_LIKES} likes in training; head items are the most liked ones that hold half of all other likes; "
    "the tail is the rest. Users are split into thirds."
)


def findings(slices: pl.DataFrame, system: str, baseline: str | None) -> list[str]:
    """For each panel where a system does best and worst, and where the best baseline is ahead of it.

    Args:
        slices: slice_by, slice, system, protocol, metric, value, low, high.
    """
    lines = []
    for panel in PANELS.values():
        rows = {(row["slice"], row["system"]): row for row in panel.of(slices).iter_rows(named=True)}
        own = {name: rows[name, system] for name in panel.slices if (name, system) in rows}
        if len(own) < 2:
            continue
        best, worst = (pick(own, key=lambda name: own[name]["value"]) for pick in (max, min))
        line = (
            f"{panel.title}: {panel.metric} is highest for {WHO[panel.slice_by].format(best)} ({_shown(own[best])}) "
            f"and lowest for {WHO[panel.slice_by].format(worst)} ({_shown(own[worst])})."
        )
        if _shown(own[best]) == _shown(own[worst]):
            line = f"{panel.title}: {panel.metric} is {_shown(own[best])} everywhere."
        ahead = [
            f"{name} ({_shown(other)}{'' if other['low'] > own[name]['high'] else ', within the intervals'})"
            for name in own
            if (other := rows.get((name, str(baseline)))) is not None and other["value"] > own[name]["value"]
        ]
        lines.append(line + (f" {baseline} is ahead for: {', '.join(ahead)}." if ahead else ""))
    return lines


def _shown(row: dict[str, Any]) -> str:
    return short(f"{row['value']:.3f}")
