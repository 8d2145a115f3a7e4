"""Settings of what may lie beside the tables of a data set, whatever their form."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from pipeline.common.config import Config

# A modality is called by it, and so are weights of stored models.
NAME = r"^[A-Za-z]\w*$"
# What items are known by in any case, what stands for all vectors, and the column beside them.
TAKEN = ("text", "structure", "id", "entities", "image", "vectors", "item_id")


class BesideTables(Config):
    """Base of the settings of readers that read a folder."""

    type: str
    path: str
    vectors: list[Annotated[str, Field(pattern=NAME)]] = Field(
        default_factory=list,
        description="Vectors of the items that lie in the folder of `path`, by name: `[audio]` is `audio.parquet` (item_id, and a list "
        "of numbers), or `audio.npy` (the ids in `audio.txt`, or in the order of the items). Each is a modality",
    )

    @model_validator(mode="after")
    def _each_name_is_its_own(self) -> BesideTables:
        for place, name in enumerate(self.vectors):
            if name in TAKEN:
                raise ValueError(f"vectors: found {name}, which means something else; rename the file")
            if name in self.vectors[:place]:
                raise ValueError(f"vectors: found {name} twice, expected each name once")
        return self
