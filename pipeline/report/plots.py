"""SVG plots that open offline: DVC's own plot page takes its chart library from the network."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def thresholds_plot(thresholds: pl.DataFrame, s_m: int, items: int) -> str:
    """Edges, density and isolated items for every S_m, the chosen one marked: by this one chooses S_m.

    The green bands are where a graph is usually good: 1-10% of all pairs are edges, less than 30% of the items isolated.

    Args:
        thresholds: s_m, edges, density, isolated_items.
    """
    figure = _figure(9, 2.8)
    panels = figure.subplots(1, 3)
    shown = thresholds.filter(pl.col("edges") > 0)
    if shown.is_empty():
        figure.suptitle("no two items share an entity", fontsize=8)
        return _svg(figure)
    isolated = shown.with_columns(share=pl.col("isolated_items") / items)
    _panel(panels[0], shown, "edges", "edges", s_m)
    _logarithmic(panels[0])
    _panel(panels[1], shown, "density", "density: share of pairs that are edges", s_m)
    panels[1].axhspan(0.01, 0.1, color="tab:green", alpha=0.12, linewidth=0)
    _logarithmic(panels[1])
    _panel(panels[2], isolated, "share", "share of items that are isolated", s_m)
    panels[2].axhspan(0, 0.3, color="tab:green", alpha=0.12, linewidth=0)
    return _svg(figure)


def _panel(axes: Any, table: pl.DataFrame, column: str, label: str, s_m: int) -> None:
    axes.plot(table["s_m"], table[column], marker="o", markersize=3)
    axes.axvline(s_m, color="tab:red", linewidth=1)
    axes.set_xlabel(f"S_m (chosen: {s_m})", fontsize=8)
    axes.set_title(label, fontsize=8)
    axes.tick_params(labelsize=7)


def _logarithmic(axes: Any) -> None:
    axes.set_yscale("log")
    # Powers of ten with exponents would be set as formulas, whose parser takes as long as the rest of the plot.
    axes.yaxis.set_major_formatter("{x:g}")


def learning_curve_plot(curve: pl.DataFrame, best_epoch: int) -> str:
    """Loss and validation figures by epoch; the chosen epoch marked.

    Args:
        curve: epoch, loss and one column per validation figure.
    """
    columns = [name for name in curve.columns if name != "epoch"]
    figure = _figure(2.6 * len(columns), 2.6)
    for axes, name in zip(figure.subplots(1, len(columns)), columns, strict=True):
        axes.plot(curve["epoch"], curve[name])
        axes.axvline(best_epoch, color="tab:red", linewidth=1)
        axes.set_title(name if name == "loss" else f"validation {name}", fontsize=8)
        axes.tick_params(labelsize=7)
    return _svg(figure)


def trials_plot(values: Sequence[float | None], pruned: Sequence[bool], figure_name: str) -> str:
    """What each trial of `crmman tune` reached on validation, and the best of those so far; the first is the default.

    Args:
        values: of the trials in their order; None where one was given up before it had any.
        pruned: whether each was given up on the way.
    """
    figure = _figure(6.5, 3)
    axes = figure.subplots()
    for given_up, label, colour in ((False, "whole", "tab:blue"), (True, "given up on the way", "lightgrey")):
        shown = [
            (number, value)
            for number, (value, was) in enumerate(zip(values, pruned, strict=True), start=1)
            if value is not None and was == given_up
        ]
        numbers, reached = [number for number, _ in shown], [value for _, value in shown]
        axes.scatter(numbers, reached, s=14, color=colour, label=label)
    whole = [-np.inf if value is None or was else value for value, was in zip(values, pruned, strict=True)]
    axes.step(range(1, len(whole) + 1), np.maximum.accumulate(whole), where="post", linewidth=1, label="best so far")
    axes.axhline(whole[0], color="tab:red", linewidth=1, label="default")
    axes.set_xlabel("trial", fontsize=8)
    axes.locator_params(axis="x", integer=True)
    axes.set_title(f"validation: {figure_name}", fontsize=8)
    axes.tick_params(labelsize=7)
    axes.legend(fontsize=7)
    return _svg(figure)


def _figure(width: float, height: float) -> Figure:
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def _svg(figure: Figure) -> str:
    from matplotlib import rc_context

    buffer = io.StringIO()
    # A fixed salt and no date: the same plot has the same bytes.
    with rc_context({"svg.hashsalt": "crmman", "svg.fonttype": "none"}):
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    return "\n".join(line.rstrip() for line in buffer.getvalue().splitlines()) + "\n"
