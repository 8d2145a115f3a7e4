"""Data sources: each reads one form of data set and gives the same four tidy tables.

Takes a file or folder and settings, gives `TidyTables`: interactions, items, kg, item_entities, checked by `tidy`. A name in
`params.yaml` picks one. To add one: a module with its class, and a line in `registry`. What may lie beside the tables is read after it,
whatever the reader.
"""

from __future__ import annotations

import operator
from dataclasses import replace
from functools import reduce
from typing import TYPE_CHECKING, Annotated, Protocol

from pydantic import Field

from pipeline.common.config import Config
from pipeline.data.sources import registry
from pipeline.data.sources.beside_tables import BesideTables
from pipeline.data.sources.item_images import NO_IMAGES, images_in
from pipeline.data.sources.item_vectors import vectors_in
from pipeline.data.sources.remote import here
from pipeline.data.sources.tidy import TidyTables

__all__ = ["SOURCES", "SourceConfig", "TidyTables"]

SOURCES: tuple[type[Config], ...] = tuple(found for found in vars(registry).values() if isinstance(found, type))

if TYPE_CHECKING:

    class Source(Protocol):
        """What every reader has, beside settings of its own."""

        @property
        def path(self) -> str:
            """A file or folder that DVC watches."""

        def read(self) -> TidyTables:
            """The four tables; InputError where they cannot be read."""

else:
    Source = Annotated[reduce(operator.or_, SOURCES), Field(discriminator="type")]


class SourceConfig(Config):
    source: Source = Field(description="Where the four tables come from; `type` picks the reader")

    def read(self) -> TidyTables:
        """The four tables, and what lies beside them.

        Raises:
            InputError: something cannot be read.
        """
        tables, beside = self.source.read(), self.source
        if not isinstance(beside, BesideTables) or not (beside.vectors or beside.image):
            return tables
        folder = here(beside.path)
        vectors, of_vectors = vectors_in(folder, beside.vectors, tables.items["item_id"])
        images, of_images = (
            images_in(folder, beside.images, beside.image, tables.items) if beside.image else (NO_IMAGES, [])
        )
        return replace(tables, vectors=vectors, images=images, remarks=[*tables.remarks, *of_vectors, *of_images])
