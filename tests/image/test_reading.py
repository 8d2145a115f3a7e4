"""Image files of many kinds as upright pixels; what cannot be read, or is too large, is told."""

from __future__ import annotations

import struct
import zlib
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from pipeline.image.reading import UnreadableImageError, decoded, thumbnail
from tests.image.images import file_of, picture

MOST = 1e6


def assert_alike(content: bytes, image: Image.Image, tolerance: float = 0.0) -> None:
    found = decoded(content, MOST)
    assert found.mode == "RGB"
    assert found.size == image.size
    difference = np.abs(np.asarray(found, dtype=float) - np.asarray(image.convert("RGB"), dtype=float))
    assert np.median(difference) <= tolerance
    assert difference.mean() <= 3 * tolerance


@pytest.mark.parametrize(
    ("form", "tolerance"),
    [("PNG", 0.0), ("BMP", 0.0), ("TIFF", 0.0), ("GIF", 4.0), ("JPEG", 4.0), ("WEBP", 6.0), ("AVIF", 6.0)],
)
def test_every_common_form_is_read(form: str, tolerance: float) -> None:
    assert_alike(file_of(picture(), form), picture(), tolerance)


def test_grey_cmyk_and_palettes_are_colours() -> None:
    image = picture()
    assert_alike(file_of(image.convert("L"), "JPEG", quality=95), image.convert("L"), 4.0)
    assert_alike(file_of(image.convert("CMYK"), "JPEG", quality=95), image, 6.0)
    assert_alike(file_of(image.convert("P", palette=Image.Palette.ADAPTIVE), "PNG"), image, 3.0)
    assert_alike(file_of(image.convert("1"), "PNG"), image.convert("1"))


def test_what_is_transparent_is_white() -> None:
    image = picture().convert("RGBA")
    image.putalpha(Image.linear_gradient("L").resize(image.size))
    found = np.asarray(decoded(file_of(image, "PNG"), MOST), dtype=float)
    assert found[0].min() >= 250
    assert abs(found[-1, 20] - np.array([200, 30, 60])).max() <= 3
    half = found[30, 20]
    assert abs(half - (np.array([200, 30, 60]) + 255) / 2).max() <= 4
    grey = Image.merge("LA", [picture().convert("L"), Image.new("L", picture().size, 0)])
    assert np.asarray(decoded(file_of(grey, "PNG"), MOST)).min() == 255


def test_a_grey_of_sixteen_bits_keeps_its_shades() -> None:
    shades = np.linspace(0, 65535, 600).reshape(30, 20).astype(np.uint16)
    found = np.asarray(decoded(file_of(Image.fromarray(shades), "PNG"), MOST))[..., 0].ravel()
    assert found[0] == 0
    assert found[-1] == 255
    assert abs(found.astype(float) - np.linspace(0, 255, 600)).max() <= 1


@pytest.mark.parametrize("orientation", range(1, 9))
def test_it_stands_upright_however_the_camera_was_held(orientation: int) -> None:
    """What each value says is undone by its opposite."""
    undone = {2: "FLIP_LEFT_RIGHT", 3: "ROTATE_180", 4: "FLIP_TOP_BOTTOM", 5: "TRANSPOSE", 6: "ROTATE_90"}
    undone |= {7: "TRANSVERSE", 8: "ROTATE_270"}
    held = picture() if orientation == 1 else picture().transpose(Image.Transpose[undone[orientation]])
    exif = Image.Exif()
    exif[0x0112] = orientation
    assert_alike(file_of(held, "PNG", exif=exif), picture())


def test_of_a_moving_image_the_first_frame_counts() -> None:
    content = file_of(picture(), "GIF", save_all=True, append_images=[picture((0, 0, 255))])
    assert_alike(content, picture(), 4.0)


def test_a_large_jpeg_may_be_read_smaller_but_not_below_what_is_asked_for() -> None:
    content = file_of(picture(size=(800, 1200)), "JPEG")
    assert decoded(content, 1e9, 200).size == (200, 300)
    assert decoded(content, 1e9).size == (800, 1200)


def png(width: int, height: int) -> bytes:
    """Black, of some bytes for each row that there is."""
    parts = {b"IHDR": struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)}
    parts |= {b"IDAT": zlib.compress(bytes((1 + (width + 7) // 8) * height)), b"IEND": b""}
    chunks = [
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in parts.items()
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def test_more_pixels_than_are_allowed_are_not_unpacked() -> None:
    bomb = png(20_000, 20_000)
    assert len(bomb) < 100_000
    with pytest.raises(UnreadableImageError, match="found 20000 x 20000 pixels, expected at most 50 million"):
        decoded(bomb, 50e6)
    assert decoded(png(30, 20), 600).size == (30, 20)
    with pytest.raises(UnreadableImageError):
        decoded(png(30, 20), 599)


WHOLE = file_of(picture(), "JPEG")
CASES = {
    "empty": b"",
    "text": b"a poster",
    "cut": WHOLE[: len(WHOLE) // 2],
    "page": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
    "vector": b"<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'/>",
    "head": WHOLE[:30],
    "broken": file_of(picture(), "PNG").replace(b"IDAT", b"IDAX"),
}


@pytest.mark.parametrize("content", CASES.values(), ids=CASES)
def test_what_is_no_image_is_told_in_a_line(content: bytes) -> None:
    with pytest.raises(UnreadableImageError) as error:
        decoded(content, MOST)
    assert str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("size", "expected"), [((400, 600), (40, 60)), ((30, 20), (30, 20)), ((4000, 40), (120, 1)), ((10, 6000), (1, 60))]
)
def test_a_thumbnail_is_no_higher_than_asked_and_the_same_bytes_each_time(
    size: tuple[int, int], expected: tuple[int, int]
) -> None:
    image = picture(size=size)
    content = thumbnail(image, 60)
    assert decoded(content, MOST).size == expected
    assert thumbnail(image, 60) == content
    assert image.size == size


@given(st.sampled_from(["PNG", "JPEG", "WEBP", "GIF", "TIFF", "BMP"]), st.data())
@settings(max_examples=150, deadline=None, derandomize=True)
def test_a_damaged_file_is_an_image_or_a_line(form: str, data: st.DataObject) -> None:
    content = bytearray(file_of(picture(), form))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    content = content[: data.draw(st.integers(1, len(content)))]
    # Anything else would be an error here.
    with suppress(UnreadableImageError):
        assert decoded(bytes(content), MOST).mode == "RGB"
