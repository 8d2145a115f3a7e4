"""What `code` writes: the modules that a stage can reach, with their digests."""

from __future__ import annotations

from pipeline.artifacts.kinds import Lines

# code: the modules that a stage can reach, with their digests
CODE_NOTES = "artifacts/code.notes"
STAGE_CODE = Lines(CODE_NOTES + "/{stage}.txt")
