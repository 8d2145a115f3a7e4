"""What `validate` writes."""

from __future__ import annotations

from pipeline.artifacts.kinds import Text

# validate
PARAMETERS_CHECKED = Text("artifacts/params.checked")
