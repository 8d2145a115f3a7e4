"""Images made by hand, as files have them."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from PIL import Image


def picture(colour: tuple[int, int, int] = (200, 30, 60), size: tuple[int, int] = (40, 60)) -> Image.Image:
    """Of one colour, but for a black stripe at the top and a white one at the left."""
    image = Image.new("RGB", size, colour)
    image.paste((0, 0, 0), (0, 0, size[0], size[1] // 6))
    image.paste((255, 255, 255), (0, 0, size[0] // 8, size[1]))
    return image


def noise(seed: int, size: tuple[int, int] = (40, 60)) -> Image.Image:
    random = np.random.default_rng(seed)
    small = random.integers(0, 256, (6, 4, 3)).astype(np.uint8)
    return Image.fromarray(small).resize(size, Image.Resampling.BICUBIC)


def file_of(image: Image.Image, form: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()
