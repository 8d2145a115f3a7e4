"""Settings of the item graph."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from pipeline.common.config import Config


class ItemGraphConfig(Config):
    s_m: int = Field(ge=0, le=1_000_000, description="Items are joined if they share more than this many entities")
    leave_out_relations: list[str] = Field(description="Relations of the knowledge graph to ignore")


class DerivedGraphConfig(Config):
    edges: Literal["same", "rewired", "by_rarity"] = Field(
        description="same: the edges of the item graph; rewired: random edges, as many for each item, to see what the graph's "
        "content is worth; by_rarity: each item joined to the items nearest to it by entities that few others share, to "
        "see what the plain threshold S_m costs"
    )
