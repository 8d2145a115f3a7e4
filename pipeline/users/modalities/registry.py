"""The modalities by name. Where weights are drawn, it is in this order, whatever the order of a variant's own list."""

from __future__ import annotations

from pipeline.users.modalities.entities import EntityVectors
from pipeline.users.modalities.id import IdVectors
from pipeline.users.modalities.modality import ModalityVectors
from pipeline.users.modalities.names import Modality
from pipeline.users.modalities.structure import StructureVectors
from pipeline.users.modalities.text import TextVectors

MODALITIES: dict[Modality, type[ModalityVectors]] = {
    "text": TextVectors,
    "structure": StructureVectors,
    "id": IdVectors,
    "entities": EntityVectors,
}
