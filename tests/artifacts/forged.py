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
from pipeline.artifacts.kinds.seal import SEAL, blank_seal, sealed


def forge_table(artifact: Artifact, frame: pl.DataFrame, dataset: str, root: Path) -> None:
    buffer, blank = io.BytesIO(), blank_seal(artifact.name(dataset))
    frame.write_parquet(buffer, metadata={"seal": blank})
    _write(artifact.at(dataset, root), sealed(buffer.getvalue(), blank))


def forge_tensors(
    artifact: Artifact, arrays: Mapping[str, np.ndarray], dataset: str, root: Path, words: str = '{{"seal": "{}"}}'
) -> None:
    blank = blank_seal(artifact.name(dataset))
    content = save(dict(arrays), metadata={"about": words.format(blank)})
    _write(artifact.at(dataset, root), sealed(content, blank))


def forge_text(artifact: Artifact, text: str, dataset: str, root: Path) -> None:
    """
    Args:
        text: with SEAL where the seal is to be.
    """
    blank = blank_seal(artifact.name(dataset))
    _write(artifact.at(dataset, root), sealed(text.replace("SEAL", blank).encode(), blank))


def rename(path: Path, name: str, frame: pl.DataFrame | None = None) -> None:
    """Seal a file anew, as the artifact of another name that is made of nothing, and with another table if one is given."""
    path.write_bytes(renamed(path.read_bytes(), path.suffix, name, frame))


def renamed(
    content: bytes,
    suffix: str,
    name: str,
    frame: pl.DataFrame | None = None,
    made_of: Mapping[str, str] | None = None,
) -> bytes:
    """Content of a file with such an ending, as the artifact of another name that is made of nothing, or of such versions."""
    blank = blank_seal(name, made_of)
    if suffix == ".parquet":
        buffer = io.BytesIO()
        frame = pl.read_parquet(content) if frame is None else frame
        frame.write_parquet(buffer, metadata={"seal": blank})
        content = buffer.getvalue()
    elif suffix == ".safetensors":
        header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
        words = json.loads(header["__metadata__"]["about"]) | {"seal": blank}
        content = save(load(content), metadata={"about": json.dumps(words, sort_keys=True)})
    else:
        content = SEAL.sub(blank.encode(), content)
    return sealed(content, blank)


def forget_versions(root: Path) -> None:
    """Seal every artifact as made of nothing, so that one of them can be replaced by another version."""
    for path in sorted((root / "artifacts").rglob("*")):
        found = SEAL.search(path.read_bytes()) if path.is_file() else None
        if found and found[3]:
            rename(path, path.relative_to(root).as_posix())


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
