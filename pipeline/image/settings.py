"""Settings of the encoder of images."""

from __future__ import annotations

from pydantic import Field

from pipeline.common.config import Config

# The network whose weights a package of the package index carries.
PACKAGED = "packaged-efficientnet-lite0"


class ImageConfig(Config):
    encoder: str = Field(
        min_length=1,
        description=f"`{PACKAGED}`, a folder with a vision model of transformers (CLIP, SigLIP, ViT, DINO, ...), or a hub id",
    )
    batch_images: int = Field(
        ge=1, le=4096, description="Images in a batch; bounds memory. A CPU is fastest with a few, a GPU with more"
    )
    max_megapixels: float = Field(
        gt=0, le=1000, description="Larger images are not read but counted, as damaged ones are"
    )
    thumbnail_height: int = Field(ge=0, le=512, description="Pixels, of the images in the report; 0: none there")
    report_megabytes: float = Field(
        ge=0,
        le=100,
        description="So much of them the report has at most: of what it recommends, and of the most rated items",
    )
