"""The state of a training run on disk, so that a run that was stopped goes on. Damage is found: a checksum goes before the state."""

from __future__ import annotations

import hashlib
import io
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any, BinaryIO, cast

import torch

from pipeline.common.files import replacing

# Bytes of the sha256 that a checkpoint begins with.
DIGEST = 32


def write_checkpoint(path: Path, state: Mapping[str, Any]) -> None:
    """
    Raises:
        OSError: it cannot be written. What was there before is still there.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path, sync=True) as file:
        # Not whole in memory first: of a million items it is as large as all else that training holds.
        file.write(bytes(DIGEST))
        hashed = _Hashed(file)
        try:
            torch.save(dict(state), cast("IO[bytes]", hashed))
        except RuntimeError as error:
            # PyTorch's own, of a file that is not whole, in place of what was wrong.
            raise hashed.error or error from None
        file.seek(0)
        file.write(hashed.digest())


class _Hashed:
    """A file to write to, the sha256 of what was written, and why something could not be."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self._sha256 = file, hashlib.sha256()
        self.error: OSError | None = None

    def write(self, content: bytes) -> int:
        self._sha256.update(content)
        try:
            return self._file.write(content)
        except OSError as error:
            self.error = error
            raise

    def flush(self) -> None:
        self._file.flush()

    def digest(self) -> bytes:
        return self._sha256.digest()


def packed(state: Mapping[str, Any]) -> bytes:
    """For another process, as a file has it."""
    buffer = io.BytesIO()
    torch.save(dict(state), buffer)
    return buffer.getvalue()


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
