"""Plots are well-formed SVG, the same bytes every time, and show what they should."""

from __future__ import annotations

from xml.etree import ElementTree

import polars as pl

from pipeline.report.plots import learning_curve_plot, thresholds_plot

THRESHOLDS = pl.DataFrame(
    {"s_m": [0, 1, 2], "edges": [40, 3, 0], "density": [0.4, 0.03, 0.0], "isolated_items": [1, 12, 20]}
)
CURVE = pl.DataFrame({"epoch": [1, 2, 3], "loss": [3.0, 2.0, 1.5], "ranking_ndcg@10": [0.1, 0.2, 0.15]})


def test_the_threshold_plot_shows_edges_density_and_isolated_items_and_the_chosen_s_m() -> None:
    svg = thresholds_plot(THRESHOLDS, 1, 20)
    words = " ".join("".join(element.itertext()) for element in ElementTree.fromstring(svg).iter() if element.text)
    for expected in ("edges", "density", "isolated", "S_m (chosen: 1)"):
        assert expected in words
    assert svg == thresholds_plot(THRESHOLDS, 1, 20)
    assert svg != thresholds_plot(THRESHOLDS, 0, 20)


def test_the_learning_curve_has_a_panel_for_each_figure() -> None:
    svg = learning_curve_plot(CURVE, 2)
    assert ElementTree.fromstring(svg).tag.endswith("svg")
    assert "validation ranking_ndcg@10" in svg
    assert svg == learning_curve_plot(CURVE, 2)
