"""What `embed_text` writes."""

from __future__ import annotations

from pipeline.artifacts.kinds import Tensors

# embed_text: one row per item; a row of zeros is an item without text
TEXT_VECTORS = Tensors("artifacts/{dataset}/text/vectors.safetensors", {"vectors": 2}, traced=True)
