"""Item vectors r: the modalities that an item is known by, fused (method 5)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn

from pipeline.common.devices import placed
from pipeline.common.errors import InputError
from pipeline.users.fusion import fuse
from pipeline.users.modalities.inputs import ItemInputs
from pipeline.users.modalities.modality import ModalityVectors
from pipeline.users.modalities.registry import modalities_of
from pipeline.users.names import ADDING, Fusion
from pipeline.users.widths import check_average

if TYPE_CHECKING:
    from numpy.typing import NDArray


class ItemEncoder(nn.Module):
    """r for all items, (M, width): fixed inputs of the modalities, trainable projections.

    Args:
        inputs: of all items.
        modalities: which of them count, at least one.
        fusion: how they become one vector.
        width: d_h, of the projected text vector and of the learned ones under `concat` and `average`; of r under `linear`
            and `gated`.

    Raises:
        InputError: `average` fusion of different widths.
    """

    def __init__(self, inputs: ItemInputs, modalities: Sequence[str], fusion: Fusion, width: int) -> None:
        super().__init__()
        self.fusion = fusion
        made = modalities_of(modalities, inputs, width, added=fusion in ADDING)
        # Not by their names: a ModuleDict takes none that it has a method of, such as `values` or `train`.
        self.made, self._names = nn.ModuleList(made[name] for name in modalities), tuple(modalities)
        widths = {name: made[name].width for name in modalities}
        if fusion == "average":
            check_average(width, widths.get("structure", width))
        if fusion == "gated":
            self.gates = nn.Parameter(torch.zeros(len(widths), width))
        self.width = sum(widths.values()) if fusion == "concat" else width

    @property
    def modalities(self) -> dict[str, ModalityVectors]:
        return dict(zip(self._names, self.made, strict=True))  # type: ignore[arg-type]

    def forward(self) -> torch.Tensor:
        return self.fuse(self.parts())

    def fuse(self, parts: dict[str, torch.Tensor]) -> torch.Tensor:
        """R out of what `parts` gives, (M, width)."""
        return fuse(list(parts.values()), self.fusion, getattr(self, "gates", None))

    def parts(self, items: NDArray[np.int64] | None = None) -> dict[str, torch.Tensor]:
        """What each modality says about items, before fusion, each (items, its width).

        Args:
            items: which; None for all.
        """
        return {name: vectors(items) for name, vectors in self.modalities.items()}

    def hidden(
        self, rate: float, items: NDArray[np.int64] | None, random: np.random.Generator
    ) -> dict[str, NDArray[np.bool_]]:
        """Which items a step shows without each modality: drawn at that rate, but of those that an item has one stays, whatever is drawn.

        Args:
            items: which; None for all.
        """
        has = np.stack([self.has(name) if items is None else self.has(name)[items] for name in self.modalities])
        drawn = random.random(has.shape)
        hides = (drawn < rate) & (drawn < np.where(has, drawn, -1.0).max(axis=0))
        return dict(zip(self.modalities, hides, strict=True))

    def without(
        self, parts: Mapping[str, torch.Tensor], hidden: Mapping[str, NDArray[np.bool_]]
    ) -> dict[str, torch.Tensor]:
        """What `parts` gives, where what is hidden is as if the item lacked it.

        Args:
            hidden: modality to the items without it, (items,); one that is not named stays.
        """
        found = dict(parts)
        for name, hides in hidden.items():
            where = placed(hides, found[name].device).unsqueeze(1)
            found[name] = torch.where(where, self.modalities[name].nothing().to(found[name]), found[name])
        return found

    def has(self, modality: str) -> NDArray[np.bool_]:
        """Which items have it, (M,)."""
        return self.modalities[modality].has

    def projections(self) -> list[nn.Parameter]:
        """Weights that read what is fixed, where vectors are added up; none where they are not."""
        if self.fusion not in ADDING:
            return []
        return [value for name, value in self.made.named_parameters() if "projection" in name]

    def tables(self) -> list[nn.Parameter]:
        """Learned vectors of items and of entities, a row for each."""
        return [table for vectors in self.modalities.values() for table in vectors.tables()]

    def learn_by_rows(self) -> None:
        """Of some items, give the slopes of `tables` for the rows that these meet alone."""
        for vectors in self.modalities.values():
            vectors.by_rows = True

    def weights(self) -> dict[str, torch.Tensor]:
        """All that is learned, by the names that stored models have: a weight's own, without its modality's before it."""
        gates = {"gates": self.gates} if self.fusion == "gated" else {}
        return gates | {name: value for part in self.modalities.values() for name, value in part.state_dict().items()}

    def load(self, weights: Mapping[str, torch.Tensor]) -> None:
        """Take over what `weights` gave; items that came later have no vector of their own.

        Raises:
            InputError: they are those of another encoder.
        """
        for name, value in self.weights().items():
            found = weights.get(name)
            rows = 0 if found is None else len(found)
            fits = found is not None and found.shape[1:] == value.shape[1:]
            if found is None or not fits or not (rows == len(value) or (name == "own" and rows < len(value))):
                here = "none" if found is None else " x ".join(map(str, found.shape))
                raise InputError(
                    f"users/model: tensor encoder.{name}: found {here}, expected {' x '.join(map(str, value.shape))}; run `dvc repro`"
                )
            with torch.no_grad():
                value.zero_()[:rows] = found


def stored_encoder(
    arrays: Mapping[str, NDArray[np.float32]],
    inputs: ItemInputs,
    modalities: Sequence[str],
    fusion: Fusion,
    width: int,
) -> ItemEncoder:
    """That of a stored model: R is what it was in training.

    Args:
        arrays: MODEL's, or REFIT's.
        inputs, modalities, fusion, width: as of `ItemEncoder`.

    Raises:
        InputError: the weights are those of another encoder.
    """
    encoder, prefix = ItemEncoder(inputs, modalities, fusion, width).eval(), "encoder."
    mine = {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}
    encoder.load({name: torch.from_numpy(array) for name, array in mine.items()})
    return encoder
