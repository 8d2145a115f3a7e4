"""SVG plots that open offline: DVC's own plot page takes its chart library from the network."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import polars as pl

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def thresholds_plot(thresholds: pl.DataFrame, s_m: int, items: int) -> str:
    """Edges, and the share of isolated items, for every S_m; the chosen one marked. By this one chooses S_m.

    Args:
        thresholds: s_m, edges, density, isolated_items.
    """
    figure = _figure(7.5, 3.4)
    left, right = figure.subplots(1, 2)
    _bands(left, thresholds, "density", 1.0, (0.01, 0.1), "share of item pairs that are edges", s_m)
    left.set_yscale("log")
    _bands(right, thresholds, "isolated_items", items, (0.0, 0.3), "share of items without an edge", s_m)
    return _svg(figure)


def _bands(
    axes: Any, thresholds: pl.DataFrame, column: str, whole: float, good: tuple[float, float], label: str, s_m: int
) -> None:
    shown = thresholds.filter(pl.col("edges") > 0)
    axes.axhspan(*good, color="tab:green", alpha=0.12, linewidth=0)
    axes.plot(shown["s_m"], shown[column] / whole, marker="o", markersize=3)
    axes.axvline(s_m, color="tab:red", linewidth=1)
    axes.set_xlabel(f"S_m (chosen: {s_m})")
    axes.set_title(label, fontsize=9)


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
