"""The names of the modalities, without PyTorch: settings need no more."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

# What is learned or made of texts and the graph, and by their images.
MADE = ("text", "structure", "id", "entities")
IMAGE = "image"
# All that a data set has vectors of its own of; each is a modality by its name in `source.vectors`.
ALL_GIVEN = "vectors"
FIXED = (*MADE, IMAGE, ALL_GIVEN)

Modality = Annotated[str, Field(pattern=r"^[A-Za-z]\w*$")]
