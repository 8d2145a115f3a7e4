"""Every form of alignment by its name in params.yaml."""

from __future__ import annotations

from pipeline.users.alignment.alignment import Alignment
from pipeline.users.alignment.codebook import Codebook
from pipeline.users.alignment.pairs import Pairs
from pipeline.users.alignment.queue import Queue
from pipeline.users.item_encoder import ItemEncoder
from pipeline.users.settings import VariantConfig


def build_alignment(config: VariantConfig, encoder: ItemEncoder) -> Alignment | None:
    """That of a variant; None where nothing is aligned."""
    if not config.alignment_weight:
        return None
    common = encoder, config.alignment_temperature, config.alignment_items
    if config.alignment == "queue":
        return Queue(*common, config.alignment_queue, config.alignment_momentum)
    if config.alignment == "codebook":
        return Codebook(*common, config.alignment_prototypes)
    return Pairs(*common)
