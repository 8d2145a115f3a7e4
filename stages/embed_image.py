"""Encode the image of every item that has one with a frozen network (`pipeline.image`), and keep thumbnails for the report."""

from __future__ import annotations

import hashlib
import threading
import zipfile
from contextlib import ExitStack
from functools import cache
from pathlib import Path

import numpy as np
import polars as pl

from pipeline.artifacts.data import ITEMS, SOURCE_IMAGES
from pipeline.artifacts.image import IMAGE_VECTORS, THUMBNAILS
from pipeline.common.errors import InputError, shortened
from pipeline.common.settings import DeviceConfig
from pipeline.image.settings import ImageConfig
from stages.shared.stage import Reads, Settings, Stage, run_stage, say, warn

STAGE = Stage(
    "embed_image",
    settings=Reads(run=DeviceConfig, stage=ImageConfig),
    reads=(ITEMS, SOURCE_IMAGES),
    writes=(IMAGE_VECTORS, THUMBNAILS),
)


def main(dataset: str, settings: Settings) -> None:
    items, config = ITEMS.read(dataset).select("item", "item_id"), settings.stage(ImageConfig)
    found = items.join(SOURCE_IMAGES.read(dataset), on="item_id", how="inner", maintain_order="left")
    if found.is_empty():
        IMAGE_VECTORS.write({"vectors": np.zeros((len(items), 0), dtype=np.float32)}, dataset)
        THUMBNAILS.write(pl.DataFrame(schema=THUMBNAILS.columns), dataset)
        say(dataset, "embed_image", "no images")
        return
    # It takes seconds to load, and most data have no images.
    from pipeline.common.devices import torch_device
    from pipeline.image.item_images import encode_images, encoder_of

    device = torch_device(settings.run(DeviceConfig).device)
    encoder = encoder_of(config, device)
    # Equal images once, in an order that no file's name has a part in.
    different = found.unique("sha256", keep="first", maintain_order=True).sort("sha256")
    with Contents(different) as contents:
        encoded = encode_images(contents.of, len(different), encoder, config, device, progress=True)
    number = found.select(pl.col("sha256").replace_strict(different["sha256"], range(len(different)))).to_series()
    vectors = np.zeros((len(items), encoder.width), dtype=np.float32)
    vectors[found["item"].to_numpy()] = encoded.vectors[number.to_numpy()]
    IMAGE_VECTORS.write({"vectors": vectors}, dataset)
    small = found.select("item", webp=pl.Series([encoded.thumbnails[one] for one in number], dtype=pl.Binary))
    THUMBNAILS.write(small.filter(pl.col("webp").bin.size() > 0), dataset)
    bad = number.is_in(list(encoded.unreadable))
    say(
        dataset,
        "embed_image",
        f"{len(found) - int(bad.sum())} of {len(items)} items have an image that can be read, {len(different)} different ones; "
        f"vectors {encoder.width} wide",
    )
    if bad.any():
        first = found.filter(bad).row(0, named=True)
        why = encoded.unreadable[number.filter(bad)[0]]
        warn(
            dataset,
            "embed_image",
            [
                f"{int(bad.sum())} images cannot be read, such as {shown_file(first['path'], first['inside'])}: {shortened(why)}"
            ],
        )


def shown_file(path: str, inside: str) -> str:
    return f"{path}: {inside}" if inside else path


class Contents:
    """What is in the files of images.

    Args:
        files: path, inside and sha256, of SOURCE_IMAGES.
    """

    def __init__(self, files: pl.DataFrame) -> None:
        self._files, self._stack, self._lock = (
            files.select("path", "inside", "sha256").rows(),
            ExitStack(),
            threading.Lock(),
        )
        self._zip = cache(self._opened)

    def __enter__(self) -> Contents:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def of(self, number: int) -> bytes:
        """
        Raises:
            InputError: it is gone, or another one than `fetch` found.
        """
        path, inside, sha256 = self._files[number]
        try:
            if inside:
                with self._lock:
                    content = self._zip(path).read(inside)
            else:
                content = Path(path).read_bytes()
        except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
            raise InputError(f"{shown_file(path, inside)}: cannot be read: {error}; run `dvc repro`") from None
        if hashlib.sha256(content).hexdigest() != sha256:
            raise InputError(
                f"{shown_file(path, inside)}: found another image than `fetch` did; run `dvc repro`, which reads all of them again"
            )
        return content

    def _opened(self, path: str) -> zipfile.ZipFile:
        return self._stack.enter_context(zipfile.ZipFile(path))


if __name__ == "__main__":
    run_stage(STAGE, main)
