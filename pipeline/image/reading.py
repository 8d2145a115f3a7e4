"""From the bytes of an image file to upright pixels in red, green and blue, and to a thumbnail. What cannot be read is told in words."""

from __future__ import annotations

import io
import warnings

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

# Of all that Pillow reads; among the others are some that other programs are run for.
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")
# Pillow's own limit, which no setting could raise; `decoded` has another one, and asks before any pixel is unpacked.
Image.MAX_IMAGE_PIXELS = None
# Of a thumbnail: at most so many times as wide as high; and of WebP, from 0 to 100.
WIDEST, QUALITY = 2, 60


class UnreadableImageError(ValueError):
    """Why an image cannot be read."""


def decoded(content: bytes, max_pixels: float, least: int = 0) -> Image.Image:
    """The first frame, as a camera that was held upright would have it, on white where it is transparent.

    Args:
        max_pixels: a file of some bytes may unpack to gigabytes, so that more pixels than these are not read.
        least: a JPEG may be read smaller, where that is faster, but not below so many pixels in height and width.

    Raises:
        UnreadableImageError: it is too large, damaged, or no image.
    """
    try:
        with warnings.catch_warnings():
            # Of metadata that are not read here.
            warnings.simplefilter("ignore")
            image: Image.Image = Image.open(io.BytesIO(content), formats=FORMATS)
            if image.width * image.height > max_pixels:
                raise UnreadableImageError(
                    f"found {image.width} x {image.height} pixels, expected at most {max_pixels / 1e6:g} million"
                )
            if least:
                image.draft("RGB", (least, least))
            image.load()
            return _on_white(ImageOps.exif_transpose(image))
    except (UnreadableImageError, MemoryError):
        raise
    # Whatever Pillow makes of what somebody calls an image.
    except Exception as error:
        said = "not a readable image" if isinstance(error, UnidentifiedImageError) else str(error)
        raise UnreadableImageError(" ".join(said.split())[:120] or type(error).__name__) from None


def _on_white(image: Image.Image) -> Image.Image:
    if image.mode.startswith(("I", "F")):
        image = _of_eight_bits(image)
    if not image.has_transparency_data:
        return image.convert("RGB")
    image = image.convert("RGBA")
    white = Image.new("RGBA", image.size, "white")
    return Image.alpha_composite(white, image).convert("RGB")


def _of_eight_bits(image: Image.Image) -> Image.Image:
    """Greys of more bits, by their own range."""
    greys = np.nan_to_num(np.asarray(image, dtype=np.float64))
    low, high = min(greys.min(), 0.0), max(greys.max(), 1.0)
    return Image.fromarray(np.rint((greys - low) * (255 / (high - low))).astype(np.uint8))


def thumbnail(image: Image.Image, height: int) -> bytes:
    """As WebP, no higher than ``height`` and no wider than `WIDEST` times that."""
    small = image.copy()
    small.thumbnail((WIDEST * height, height))
    buffer = io.BytesIO()
    small.save(buffer, "WEBP", quality=QUALITY, method=4)
    return buffer.getvalue()
