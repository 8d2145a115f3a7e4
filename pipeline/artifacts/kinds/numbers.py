"""Numbers: JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.artifacts.kinds.artifact import HERE, Artifact, flat
from pipeline.common.errors import InputError
from pipeline.common.files import write_bytes


@dataclass(frozen=True)
class Numbers(Artifact):
    """A small nested JSON of numbers, rounded so that noise in the last digits is not a change."""

    digits: int = 6

    def write(self, content: Mapping[str, Any], dataset: str, root: Path = HERE) -> None:
        text = json.dumps(self._rounded(content, self.at(dataset, root)), indent=2, allow_nan=False)
        write_bytes(self._to_write(dataset, root), (text + "\n").encode())

    def read(self, dataset: str, root: Path = HERE) -> dict[str, Any]:
        path = self._existing(dataset, root)
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            if not isinstance(content, dict):
                raise TypeError(f"found {type(content).__name__}, expected an object")
            self._rounded(content, path)
        except (ValueError, TypeError) as error:
            raise InputError(f"{path}: not a readable JSON file of numbers: {flat(error)}") from None
        return content

    def rounded(self, number: float) -> float:
        """As it is written. Adding zero makes -0.0 a plain zero."""
        return round(float(number), self.digits) + 0.0

    def _rounded(self, content: Any, path: Path) -> Any:
        if isinstance(content, Mapping):
            return {str(key): self._rounded(value, path) for key, value in content.items()}
        if isinstance(content, bool | int | np.integer):
            return int(content)
        number = self.rounded(content)
        if not np.isfinite(number):
            raise InputError(f"{path}: found {number}, expected finite numbers only")
        return number
