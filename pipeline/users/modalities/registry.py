"""The modalities by name. Where weights are drawn, it is in this order, whatever the order of a variant's own list."""

from __future__ import annotations

from collections.abc import Collection

from pipeline.users.modalities.entities import EntityVectors
from pipeline.users.modalities.given import GivenVectors
from pipeline.users.modalities.id import IdVectors
from pipeline.users.modalities.inputs import ItemInputs
from pipeline.users.modalities.modality import ModalityVectors
from pipeline.users.modalities.structure import StructureVectors
from pipeline.users.modalities.text import TextVectors

# Any other name is one of vectors that were there before.
MODALITIES: dict[str, type[ModalityVectors]] = {
    "text": TextVectors,
    "structure": StructureVectors,
    "id": IdVectors,
    "entities": EntityVectors,
}


def modalities_of(names: Collection[str], inputs: ItemInputs, width: int, *, added: bool) -> dict[str, ModalityVectors]:
    """Those that are named, by their names; see `ModalityVectors`."""
    made = {name: kind(inputs, width, added) for name, kind in MODALITIES.items() if name in names}
    return made | {name: GivenVectors(inputs, width, added, name) for name in given_among(names)}


def needs_of(names: Collection[str]) -> set[str]:
    """Which of `ItemInputs` they read, beside what is given."""
    return {need for name in names if name in MODALITIES for need in MODALITIES[name].needs}


def given_among(names: Collection[str]) -> list[str]:
    """Those that read vectors that were there before, in the order of the alphabet."""
    return sorted(name for name in names if name not in MODALITIES)
