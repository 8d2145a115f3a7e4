"""What `report` writes."""

from __future__ import annotations

from pipeline.artifacts.kinds import Text

# report
REPORT = Text("artifacts/{dataset}/report.html")
