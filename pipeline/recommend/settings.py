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
        description="Recommend only these items: ids, or files in `rules/` with one id per line; `[]`: all items",
    )
    without: list[ItemId] = Field(
        default=[], description="Never recommend these items: ids, or files in `rules/` with one id per line"
    )
    where: str = Field(
        default="",
        description="Recommend only items whose columns meet a condition, such as `year >= 1990 AND genres CONTAINS Comedy`; empty: "
        "all items",
    )
    at_most: int = Field(
        default=0,
        ge=0,
        description="At most this many items in a list may have the same value in the column `per`; 0: any number",
    )
    per: str = Field(
        default="",
        description="The column that `at_most` counts by. If it holds lists, each element counts. Items without a value are not "
        "limited",
    )
    diversity: float = Field(
        default=0.0,
        ge=0,
        le=1,
        description="How much variety within a list counts, relative to the score: 0 is the score alone (MMR over the item vectors)",
    )
    seen: bool = Field(default=False, description="Also recommend items that the user has already rated")

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
        description="How many users get a list, picked at equal steps through their ids; 0: all. `crmman recommend --histories FILE` "
        "makes lists for the users in a file",
    )
    reasons: int = Field(
        ge=0,
        le=1_000,
        description="At most this many likes, and as many dislikes, are named for each item; the contributions of all others are "
        "added up to one number for likes and one for dislikes",
    )


class RefitConfig(Config):
    refit: dict[str, str] = Field(
        description="Data set: a variant from `run_variants` that is trained once more on all ratings of that data set. Only "
        "`recommend` and `crmman` use it. For other data sets, the evaluated models recommend"
    )

    def answers(self, dataset: str, variant: str) -> bool:
        """Whether what is recommended comes of the variant's model of all ratings."""
        return self.refit.get(dataset) == variant


class RecommendRun(DeviceConfig, RefitConfig):
    """Both."""
