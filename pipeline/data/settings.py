"""Settings that make likes, dislikes and splits of a data set's tables."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from pipeline.common.config import Config
from pipeline.data.feedback import Feedback


class DatasetConfig(Config):
    like_threshold: float | None = Field(
        description="A rating at or above it is a like; null if the table has a column `like`"
    )
    feedback: Feedback = Field(
        description="What an interaction that is not a like means. rated: a dislike; liked: nothing, the row is dropped; sampled: a "
        "zero, drawn from what the user never rated; only `impression` uses it, to rank likes against"
    )
    min_user_interactions: int = Field(ge=1, description="Users with fewer interactions are dropped")
    min_item_interactions: int = Field(
        ge=0, description="Items with fewer interactions are dropped; 0 keeps items that nobody rated"
    )
    linked_items_only: bool = Field(description="Drop items that have no entity in the knowledge graph")
    split: Literal["random", "temporal", "temporal-per-user", "given"] = Field(
        description="random: over all interactions; temporal: the oldest interactions are for training; temporal-per-user: the same "
        "within each user; given: by the column `split` of the interactions (if none of them is valid, validation is "
        "drawn from train by seed)"
    )
    split_fractions: list[float] = Field(
        min_length=3, max_length=3, description="Shares of training, validation and test"
    )
    evaluated_users: int = Field(
        ge=0,
        description="Validation and test figures are computed for this many users, drawn by seed from those with a like in that "
        "split; 0: for all. Every system is evaluated on the same users, and the splits stay as they are",
    )

    @model_validator(mode="after")
    def _fractions_are_a_whole(self) -> DatasetConfig:
        if min(self.split_fractions) <= 0 or abs(sum(self.split_fractions) - 1) > 1e-9:
            raise ValueError(
                f"split_fractions: found {self.split_fractions}, expected three positive numbers that add up to 1"
            )
        return self
