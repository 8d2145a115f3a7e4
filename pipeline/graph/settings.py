"""Settings of the item graph."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from pipeline.common.config import Config


class ItemGraphConfig(Config):
    s_m: int = Field(ge=0, le=1_000_000, description="Items are joined when they share more than this many entities")
    leave_out_relations: list[str] = Field(description="Relations of the knowledge graph that do not count")


class DerivedGraphConfig(Config):
    edges: Literal["same", "rewired", "by_rarity"] = Field(
        description="Those of the item graph; as many of each item at random, to see what their content gives; or each item with those "
        "nearest to it by the entities that few others share, to see what the bare threshold S_m costs"
    )
