"""Random streams that do not disturb each other: one seed governs all, and each purpose has a stream of its own."""

from __future__ import annotations

import zlib

import numpy as np


def stream(seed: int, purpose: str, step: int = 0) -> np.random.Generator:
    """A generator for one purpose ("split", "negatives") at one step (an epoch), the same in every process."""
    return np.random.default_rng([seed, zlib.crc32(purpose.encode()), step])


def torch_seed(seed: int, purpose: str, step: int = 0) -> int:
    """A seed for `torch.manual_seed` from the same family of streams."""
    return int(stream(seed, purpose, step).integers(2**31))
