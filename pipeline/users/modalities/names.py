"""The names of the modalities, without PyTorch: settings need no more."""

from __future__ import annotations

from typing import Literal

Modality = Literal["text", "structure", "id", "entities"]
