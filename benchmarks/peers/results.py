"""`benchmarks/peers/<data set>.json`: what each model was measured with and at."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from benchmarks.peers.settings import FOLDER, MODELS

DIGITS = 6


def path_of(dataset: str, folder: Path = FOLDER) -> Path:
    return folder / f"{dataset}.json"


def read(dataset: str, folder: Path = FOLDER) -> dict[str, Any]:
    """{model: its result}; empty before the first run."""
    path = path_of(dataset, folder)
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else {}


def add(dataset: str, model: str, result: dict[str, Any], folder: Path = FOLDER) -> None:
    """Put one model's result in the place of its last one, and leave the others alone."""
    known = read(dataset, folder) | {model: _rounded(result)}
    ordered = {name: known[name] for name in MODELS if name in known}
    path_of(dataset, folder).write_text(json.dumps(ordered, indent=2) + "\n", encoding="utf-8")


def _rounded(content: Any) -> Any:
    if isinstance(content, dict):
        return {key: _rounded(value) for key, value in content.items()}
    return round(content, DIGITS) if isinstance(content, float) else content
