"""Settings of the item graph."""

from __future__ import annotations

from pydantic import Field

from pipeline.common.config import Config


class ItemGraphConfig(Config):
    s_m: int = Field(ge=0, le=1_000_000, description="Items are joined when they share more than this many entities")
    leave_out_relations: list[str] = Field(description="Relations of the knowledge graph that do not count")


class RewiringConfig(Config):
    rewire: bool = Field(
        description="Rewire the item graph at random, keeping every item's number of edges, to see what its content gives"
    )
