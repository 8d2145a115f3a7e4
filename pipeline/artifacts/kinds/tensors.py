"""Tensors: safetensors."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.artifacts.kinds import versions
from pipeline.artifacts.kinds.artifact import HERE, Artifact, flat
from pipeline.artifacts.kinds.seal import AGAIN
from pipeline.common.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Tensors(Artifact):
    """A safetensors file of named arrays, of float32 if nothing else is said.

    Attributes:
        dimensions: name to number of dimensions; ``None`` allows any names and shapes (a model's weights).
        told: what must be said about the arrays.
        types: of their numbers.
    """

    dimensions: Mapping[str, int] | None = None
    told: tuple[str, ...] = ()
    types: tuple[str, ...] = ("float32",)

    def write(
        self, arrays: Mapping[str, Array], dataset: str, root: Path = HERE, about: Mapping[str, Any] | None = None
    ) -> None:
        """``about`` and the seal are kept beside the arrays in one JSON string: with two metadata keys the byte order is random."""
        from safetensors.numpy import save

        kept = {name: np.ascontiguousarray(arrays[name]) for name in sorted(arrays)}
        self._check(kept, self.at(dataset, root))
        blank = versions.blank(self.name(dataset))
        # Names may have letters of any script, and the seal is looked for as it is.
        words = json.dumps({"about": about or {}, "seal": blank}, sort_keys=True, ensure_ascii=False)
        self._write_sealed(save(kept, metadata={"about": words}), blank, dataset, root)

    def read(self, dataset: str, root: Path = HERE) -> dict[str, NDArray[np.float32]]:
        """By name, in the order of the names: safetensors gives them in another one in each process."""
        from safetensors import SafetensorError
        from safetensors.numpy import load

        content, path = self._content(dataset, root)
        try:
            arrays = dict(sorted(load(content).items()))
        except (SafetensorError, ValueError, KeyError) as error:
            raise InputError(f"{path}: not a readable safetensors file: {flat(error)}") from None
        self._check(arrays, path)
        return arrays

    def about(self, dataset: str, root: Path = HERE) -> dict[str, Any]:
        content, path = self._content(dataset, root)
        try:
            # A length in eight bytes, and a header of JSON.
            header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
            about = dict(json.loads(header["__metadata__"]["about"])["about"])
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(f"{path}: not a readable safetensors file: {flat(error)}") from None
        if missing := [name for name in self.told if name not in about]:
            raise InputError(f"{path}: found no {missing[0]}, as in a file of another version; {AGAIN}")
        return about

    def _check(self, arrays: Mapping[str, Array], path: Path) -> None:
        for name, dimensions in (self.dimensions or {}).items():
            if name not in arrays:
                raise InputError(f"{path}: tensor {name}: not found; expected: {', '.join(self.dimensions or {})}")
            if arrays[name].ndim != dimensions:
                raise InputError(f"{path}: tensor {name}: found {arrays[name].ndim} dimensions, expected {dimensions}")
        for name, array in arrays.items():
            if array.dtype.name not in self.types:
                raise InputError(f"{path}: tensor {name}: found type {array.dtype}, expected {' or '.join(self.types)}")
            if not np.isfinite(array).all():
                where = [int(position) for position in np.argwhere(~np.isfinite(array))[0]]
                raise InputError(
                    f"{path}: tensor {name}, position {where}: found {array[tuple(where)]}, expected a finite number"
                )
