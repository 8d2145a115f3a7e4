"""Settings of the recommendations that are made for everybody."""

from __future__ import annotations

from pydantic import Field

from pipeline.common.config import Config


class RecommendConfig(Config):
    top: int = Field(ge=1, le=10_000, description="At most this many items are recommended to each user")
    reasons: int = Field(
        ge=0,
        le=1_000,
        description="Likes and as many dislikes named for each item, at most; the rest of them is one number each",
    )
