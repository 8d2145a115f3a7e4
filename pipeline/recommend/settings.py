"""Settings of the recommendations that are made for everybody, and of the model that makes them."""

from __future__ import annotations

from pydantic import Field

from pipeline.common.config import Config
from pipeline.common.settings import DeviceConfig


class RecommendConfig(Config):
    top: int = Field(ge=1, le=10_000, description="At most this many items are recommended to each user")
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
