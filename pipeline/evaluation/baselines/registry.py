"""Every baseline: its name, and the grid that makes it. A new one is a module of its own, a line here, and its grid in params.yaml."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, create_model

from pipeline.common.config import Config
from pipeline.common.errors import InputError
from pipeline.evaluation.baselines.als import AlsGrid
from pipeline.evaluation.baselines.biased_mf import BiasedMfGrid
from pipeline.evaluation.baselines.ease import EaseGrid
from pipeline.evaluation.baselines.grid import Grid
from pipeline.evaluation.baselines.item_knn import ItemKnnGrid
from pipeline.evaluation.baselines.item_mean import ItemMeanGrid
from pipeline.evaluation.baselines.popularity import PopularityGrid
from pipeline.evaluation.baselines.trees import TreesGrid
from pipeline.evaluation.metrics.registry import PER_USER

GRIDS: dict[str, type[Grid]] = {
    "popularity": PopularityGrid,
    "item-mean": ItemMeanGrid,
    "item-knn": ItemKnnGrid,
    "ease": EaseGrid,
    "als": AlsGrid,
    "biased-mf": BiasedMfGrid,
    "trees": TreesGrid,
}


class _BaselineSettings(Config):
    # One of `FIGURES`, see below.
    chosen_by: str

    def grid(self, name: str) -> Grid:
        """That of a baseline.

        Raises:
            InputError: there is none of that name.
        """
        if name not in GRIDS:
            raise InputError(f"baseline: found {name!r}, expected one of: {', '.join(GRIDS)}")
        found: Grid = getattr(self, name)
        return found


# Means over users: what has a value for each of them.
FIGURES = tuple(f"{metric.protocol}.{metric.name}" for metric in PER_USER)
_fields: dict[str, Any] = {
    "chosen_by": (
        Literal[FIGURES],
        Field(
            description="Validation figure that chooses a baseline's setting; item-mean and biased-mf, which learn from dislikes, "
            "are chosen by impression.ndcg@10 if the data set has it"
        ),
    ),
    **{name: (grid, ...) for name, grid in GRIDS.items()},
}
BaselineSettings = create_model("BaselineSettings", __base__=_BaselineSettings, **_fields)
