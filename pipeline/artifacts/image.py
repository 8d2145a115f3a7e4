"""What `embed_image` writes."""

from __future__ import annotations

import polars as pl

from pipeline.artifacts.kinds import Table, Tensors

# embed_image: one row per item; a row of zeros is an item without an image. Without any they are 0 wide.
IMAGE_VECTORS = Tensors("artifacts/{dataset}/image/vectors.safetensors", {"vectors": 2}, traced=True)
# As WebP, of items whose image could be read, for the report.
THUMBNAILS = Table(
    "artifacts/{dataset}/image/thumbnails.parquet",
    {"item": pl.Int32, "webp": pl.Binary},
    key=("item",),
    not_empty=False,
)
