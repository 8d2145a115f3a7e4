"""The names of the terms, without PyTorch."""

from __future__ import annotations

from typing import Literal

Term = Literal["overlap", "together", "popularity"]
