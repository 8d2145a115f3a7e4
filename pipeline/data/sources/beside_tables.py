"""Settings of what may lie beside the tables of a data set, whatever their form."""

from __future__ import annotations

import string
from pathlib import PurePosixPath
from typing import Annotated

from pydantic import Field, model_validator

from pipeline.common.config import Config
from pipeline.common.errors import quoted

# A modality is called by it, and so are weights of stored models.
NAME = r"^[A-Za-z]\w*$"
# What items are known by in any case, what stands for all vectors, and the column beside them.
TAKEN = ("text", "structure", "id", "entities", "image", "vectors", "item_id")


def columns_named(template: str) -> list[str]:
    """Columns that a template such as ``"{item_id}.jpg"`` names.

    Raises:
        ValueError: it is malformed, or names none.
    """
    try:
        parts = list(string.Formatter().parse(template))
    except ValueError as error:
        raise ValueError(f"image: found {quoted(template)}: {error}; expected column names in braces") from None
    found = [name for _, name, _, _ in parts if name is not None]
    # No place in a list, part of a value, or way to write one.
    plain = all(
        name.strip() and not name.isdigit() and not set(name) & set(".[]") and not form and not way
        for _, name, form, way in parts
        if name is not None
    )
    if not found or not plain:
        raise ValueError(
            f"image: found {quoted(template)}, expected the name of a file with a column of the items in braces, such as "
            "'{item_id}.jpg' or '{poster}'"
        )
    return found


class BesideTables(Config):
    """Base of the settings of readers that read a folder."""

    type: str
    path: str
    vectors: list[Annotated[str, Field(pattern=NAME)]] = Field(
        default_factory=list,
        description="Names of item vectors in the folder of `path`: `[audio]` is `audio.parquet` (item_id and a list of numbers) or "
        "`audio.npy` (with the ids in `audio.txt`, or in the order of the items). Each is a modality",
    )
    image: str | None = Field(
        default=None,
        description="File name of an item's image, with item columns in braces: `{item_id}.jpg`, `{poster}`; null: no images",
    )
    images: str = Field(
        default="",
        description="The folder or zip with the images, inside the folder of `path`; empty if they lie directly in that folder",
    )

    @model_validator(mode="after")
    def _each_name_is_its_own(self) -> BesideTables:
        for place, name in enumerate(self.vectors):
            if name in TAKEN:
                raise ValueError(f"vectors: found {name}, which means something else; rename the file")
            if name in self.vectors[:place]:
                raise ValueError(f"vectors: found {name} twice, expected each name once")
        return self

    @model_validator(mode="after")
    def _images_are_called_something(self) -> BesideTables:
        if self.image is not None:
            columns_named(self.image)
        elif self.images:
            raise ValueError("image: found nothing, expected the names of the files in images, such as {item_id}.jpg")
        place = PurePosixPath(self.images)
        if place.is_absolute() or ".." in place.parts:
            raise ValueError(
                f"images: found {self.images!r}, expected a folder or zip in that of path, which DVC watches"
            )
        return self
