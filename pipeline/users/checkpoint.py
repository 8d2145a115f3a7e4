"""The state of a training run on disk, so that a run that was stopped goes on. Damage is found: a checksum goes before the state."""

from __future__ import annotations

import hashlib
import io
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from pipeline.common.files import replacing

# Bytes of the sha256 that a checkpoint begins with.
DIGEST = 32


def write_checkpoint(path: Path, state: Mapping[str, Any]) -> None:
    """
    Raises:
        OSError: it cannot be written. What was there before is still there.
    """
    content = packed(state)
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path, sync=True) as file:
        file.write(hashlib.sha256(content).digest())
        file.write(content)


def packed(state: Mapping[str, Any]) -> memoryview:
    """As bytes."""
    buffer = io.BytesIO()
    torch.save(dict(state), buffer)
    return buffer.getbuffer()


def unpacked(content: bytes | memoryview, device: torch.device | str) -> dict[str, Any]:
    state: dict[str, Any] = torch.load(io.BytesIO(content), map_location=device, weights_only=True)
    return state


def read_checkpoint(path: Path, device: torch.device | str) -> dict[str, Any] | None:
    """The state; None of one that is damaged, which is removed."""
    content = memoryview(path.read_bytes())
    digest, content = content[:DIGEST], content[DIGEST:]
    try:
        if hashlib.sha256(content).digest() != digest:
            raise ValueError("another checksum")
        state = unpacked(content, device)
    except (RuntimeError, EOFError, ValueError, pickle.UnpicklingError):
        path.unlink(missing_ok=True)
        return None
    return state
