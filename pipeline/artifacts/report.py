"""What `report` writes."""

from __future__ import annotations

from pipeline.artifacts.kinds import Text

# report
# Plots that open without a network, of which DVC's own page takes its library.
THRESHOLDS_PLOT = Text("plots/{dataset}/thresholds.svg")
CURVE_PLOT = Text("plots/{dataset}/learning_curves/{variant}.svg")
REPORT = Text("artifacts/{dataset}/report.html")
