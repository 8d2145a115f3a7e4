"""Every artifact there is, by its name."""

from __future__ import annotations

import importlib
import pkgutil

import pipeline.artifacts
from pipeline.artifacts.kinds import Artifact

EVERY: dict[str, Artifact] = {
    name: value
    for module in pkgutil.iter_modules(pipeline.artifacts.__path__)
    for name, value in vars(importlib.import_module(f"pipeline.artifacts.{module.name}")).items()
    if isinstance(value, Artifact)
}
