"""Data sources: each gives the same four tidy tables, and a name in `params.yaml` picks one."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from pipeline.config import Config
from pipeline.sources.atomic import AtomicSource
from pipeline.sources.recbole_wheel import RecboleWheelSource
from pipeline.sources.tables import TablesSource
from pipeline.sources.tidy import TidyTables

__all__ = ["SourceConfig", "TidyTables"]

Source = Annotated[RecboleWheelSource | AtomicSource | TablesSource, Field(discriminator="type")]


class SourceConfig(Config):
    source: Source = Field(description="Where the four tables come from; `type` picks the reader")
