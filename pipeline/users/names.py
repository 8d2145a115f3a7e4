"""The names of a variant's choices, without PyTorch: settings and models share them."""

from __future__ import annotations

from typing import Literal

Fusion = Literal["concat", "average", "linear", "gated"]
Alignment = Literal["pairs", "queue", "codebook"]
Views = Literal["both", "likes", "merged"]
Head = Literal["click", "like", "meet", "judge"]
# Fusions that add up vectors of equal width, which start small; others keep standardised ones at their length, sqrt(d).
ADDING: frozenset[Fusion] = frozenset({"linear", "gated"})
# What each choice of views reads of a history, by the names of the views.
READ_BY: dict[Views, tuple[str, ...]] = {"both": ("likes", "dislikes"), "likes": ("likes",), "merged": ("rated",)}
ALL_VIEWS = ("likes", "dislikes", "rated")
