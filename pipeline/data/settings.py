"""Settings that make likes, dislikes and splits of a data set's tables."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from pipeline.common.config import Config
from pipeline.data.feedback import Feedback


class DatasetConfig(Config):
    like_threshold: float | None = Field(
        description="A rating at or above it is a like; null where the table has `like`"
    )
    feedback: Feedback = Field(
        description="What is no like. rated: a dislike; liked: nothing, it is left out; sampled: a zero that somebody drew, against which "
        "`impression` ranks likes, and nothing else"
    )
    min_user_interactions: int = Field(ge=1, description="Users with fewer are left out")
    min_item_interactions: int = Field(ge=0, description="Items with fewer are left out; 0 keeps items nobody rated")
    linked_items_only: bool = Field(description="Leave out items without an entity in the knowledge graph")
    split: Literal["random", "temporal", "temporal-per-user", "given"] = Field(
        description="Random over interactions; the oldest interactions train, over all users or within each; or given by the column "
        "`split` of the interactions, where train is cut by seed if there is no valid"
    )
    split_fractions: list[float] = Field(min_length=3, max_length=3, description="Training, validation, test")
    evaluated_users: int = Field(
        ge=0,
        description="Figures of validation and test are of so many users, drawn by seed among those with a like there; 0: of all. Every "
        "system is evaluated on the same ones; the splits stay as they are",
    )

    @model_validator(mode="after")
    def _fractions_are_a_whole(self) -> DatasetConfig:
        if min(self.split_fractions) <= 0 or abs(sum(self.split_fractions) - 1) > 1e-9:
            raise ValueError(
                f"split_fractions: found {self.split_fractions}, expected three positive numbers that add up to 1"
            )
        return self
