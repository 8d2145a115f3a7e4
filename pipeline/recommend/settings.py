"""Settings of the recommendations that are made for everybody, and of the model that makes them."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from pipeline.common.config import Config
from pipeline.common.settings import DeviceConfig

# Where files of ids are for the stage: DVC watches the folder.
RULES_FOLDER = "rules"
# YAML has 12 for a number; ids are texts.
ItemId = Annotated[str, Field(min_length=1)] | int


class RulesConfig(Config):
    # With defaults: a params.yaml that is older than rules has none of them, and goes by none.
    only: list[ItemId] = Field(
        default=[],
        description="Nothing but these items: ids, or files in `rules/` with an id on each line; `[]`: all items",
    )
    without: list[ItemId] = Field(
        default=[], description="Without these items: ids, or files in `rules/` with an id on each line"
    )
    where: str = Field(
        default="",
        description="Items of which a condition on their columns holds, such as `year >= 1990 AND genres CONTAINS Comedy`; empty: all",
    )
    at_most: int = Field(
        default=0,
        ge=0,
        description="At most so many items of a list with the same value of the column `per`; 0: any number",
    )
    per: str = Field(
        default="",
        description="That column; of lists each element counts. An item without a value is never too many",
    )
    diversity: float = Field(
        default=0.0,
        ge=0,
        le=1,
        description="How much it counts beside the score that items of a list are unlike one another (MMR over the item vectors)",
    )
    seen: bool = Field(default=False, description="Recommend what somebody has rated, too")

    @model_validator(mode="after")
    def _both_or_neither(self) -> RulesConfig:
        if self.at_most and not self.per:
            raise ValueError("per: found nothing beside at_most, expected a column of the items")
        if self.per and not self.at_most:
            raise ValueError(
                "at_most: found 0 beside per, expected how many items of a list may have the same value of it"
            )
        return self


WITHOUT_RULES = RulesConfig()


class RecommendConfig(RulesConfig):
    top: int = Field(ge=1, le=10_000, description="At most this many items are recommended to each user")
    users: int = Field(
        ge=0,
        description="To so many users, by equal steps through their ids; 0: to all. `crmman recommend FILE` makes lists for a file's",
    )
    reasons: int = Field(
        ge=0,
        le=1_000,
        description="Likes and as many dislikes named for each item, at most; the rest of them is one number each",
    )


class RefitConfig(Config):
    refit: dict[str, str] = Field(
        description="Data set to the variant of `run_variants` that is trained once more on all of its ratings, for `recommend` and "
        "`crmman` alone; a data set without one is recommended by the models that were evaluated"
    )

    def answers(self, dataset: str, variant: str) -> bool:
        """Whether what is recommended comes of the variant's model of all ratings."""
        return self.refit.get(dataset) == variant


class RecommendRun(DeviceConfig, RefitConfig):
    """Both."""
