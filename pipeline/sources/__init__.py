"""Data sources: each gives the same four tidy tables, and a name in `params.yaml` picks one.

A reader of one's own is a file beside these: a `Config` with a `type`, the `path` that DVC watches, and `read`, and its name here.
"""

from __future__ import annotations

from typing import Annotated, get_args

from pydantic import Field

from pipeline.config import Config
from pipeline.sources.atomic import AtomicSource
from pipeline.sources.book_crossing import BookCrossingSource
from pipeline.sources.hetrec_lastfm import HetrecLastfmSource
from pipeline.sources.kgcn import KgcnSource
from pipeline.sources.movielens import MovieLensSource
from pipeline.sources.recbole_wheel import RecboleWheelSource
from pipeline.sources.tables import TablesSource
from pipeline.sources.tidy import TidyTables

__all__ = ["SOURCES", "SourceConfig", "TidyTables"]

Source = Annotated[
    RecboleWheelSource
    | AtomicSource
    | TablesSource
    | MovieLensSource
    | BookCrossingSource
    | KgcnSource
    | HetrecLastfmSource,
    Field(discriminator="type"),
]
SOURCES: tuple[type[Config], ...] = get_args(get_args(Source)[0])


class SourceConfig(Config):
    source: Source = Field(description="Where the four tables come from; `type` picks the reader")
