"""Names of the attentions in params.yaml. Nothing is imported here, so that settings can be checked without PyTorch."""

from __future__ import annotations

from typing import Literal

Attention = Literal["none", "self", "candidate"]
