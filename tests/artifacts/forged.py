"""Artifacts that their own `write` would refuse, sealed as if it had written them."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import polars as pl
from safetensors.numpy import load, save

from pipeline.artifacts.kinds import Artifact
from pipeline.artifacts.seal import SEAL, blank_seal, sealed


def forge_table(artifact: Artifact, frame: pl.DataFrame, dataset: str, root: Path) -> None:
    buffer, name = io.BytesIO(), artifact.name(dataset)
    frame.write_parquet(buffer, metadata={"seal": blank_seal(name)})
    _write(artifact.at(dataset, root), sealed(buffer.getvalue(), name))


def forge_tensors(
    artifact: Artifact, arrays: Mapping[str, np.ndarray], dataset: str, root: Path, words: str = '{{"seal": "{}"}}'
) -> None:
    name = artifact.name(dataset)
    content = save(dict(arrays), metadata={"about": words.format(blank_seal(name))})
    _write(artifact.at(dataset, root), sealed(content, name))


def forge_text(artifact: Artifact, text: str, dataset: str, root: Path) -> None:
    """
    Args:
        text: with SEAL where the seal is to be.
    """
    name = artifact.name(dataset)
    _write(artifact.at(dataset, root), sealed(text.replace("SEAL", blank_seal(name)).encode(), name))


def rename(path: Path, name: str, frame: pl.DataFrame | None = None) -> None:
    """Seal a file anew, as the artifact of another name, and with another table if one is given."""
    path.write_bytes(renamed(path.read_bytes(), path.suffix, name, frame))


def renamed(content: bytes, suffix: str, name: str, frame: pl.DataFrame | None = None) -> bytes:
    """Content of a file with such an ending, as the artifact of another name."""
    if suffix == ".parquet":
        buffer = io.BytesIO()
        frame = pl.read_parquet(content) if frame is None else frame
        frame.write_parquet(buffer, metadata={"seal": blank_seal(name)})
        content = buffer.getvalue()
    elif suffix == ".safetensors":
        header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
        words = json.loads(header["__metadata__"]["about"]) | {"seal": blank_seal(name)}
        content = save(load(content), metadata={"about": json.dumps(words, sort_keys=True)})
    else:
        content = SEAL.sub(blank_seal(name).encode(), content)
    return sealed(content, name)


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
