"""Settings of the encoder of images."""

from __future__ import annotations

from pydantic import Field

from pipeline.common.config import Config

# The network whose weights a package of the package index carries.
PACKAGED = "packaged-efficientnet-lite0"


class ImageConfig(Config):
    encoder: str = Field(
        min_length=1,
        description=f"`{PACKAGED}`, a folder with a vision model for transformers (CLIP, SigLIP, ViT, DINO, ...), or a hub id. "
        "DVC notes this name and not the weights: give other weights another name",
    )
    batch_images: int = Field(
        ge=1, le=4096, description="Images in a batch; limits memory. A CPU is fastest with a few, a GPU with more"
    )
    max_megapixels: float = Field(
        gt=0, le=1000, description="Larger images are not read; they are counted with the damaged ones"
    )
    thumbnail_height: int = Field(
        ge=0, le=512, description="Height in pixels of the images in the report; 0: no images there"
    )
    report_megabytes: float = Field(
        ge=0,
        le=100,
        description="At most this many megabytes of images go into the report: those of recommended items and of the most rated ones",
    )
