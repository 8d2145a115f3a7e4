"""Vectors and thumbnails of items' images: each image once, and of what cannot be read the reason."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from tqdm import tqdm

from pipeline.common.side_by_side import side_by_side
from pipeline.image.encoder import ImageEncoder
from pipeline.image.packaged_encoder import PackagedEncoder, packaged_weights
from pipeline.image.reading import UnreadableImageError, decoded, thumbnail
from pipeline.image.settings import PACKAGED, ImageConfig

if TYPE_CHECKING:
    from numpy.typing import NDArray


def encoder_of(config: ImageConfig, device: torch.device) -> ImageEncoder:
    """
    Raises:
        InputError: the encoder cannot be loaded, or reads no images.
    """
    if config.encoder == PACKAGED:
        return PackagedEncoder(packaged_weights(), device)
    # It takes seconds to load.
    from pipeline.image.hub_encoder import HubEncoder

    return HubEncoder(config.encoder, device)


class EncodedImages(NamedTuple):
    """
    Attributes:
        vectors: (images, width), zeros of those that cannot be read.
        thumbnails: of each, as WebP; empty of those that cannot be read, and where none are asked for.
        unreadable: number of an image to why it cannot be read.
    """

    vectors: NDArray[np.float32]
    thumbnails: list[bytes]
    unreadable: dict[int, str]


def encode_images(
    content: Callable[[int], bytes],
    count: int,
    encoder: ImageEncoder,
    config: ImageConfig,
    device: torch.device,
    *,
    progress: bool = False,
) -> EncodedImages:
    """Encode images in batches, of which no more are in memory than there are threads.

    Args:
        content: the bytes of an image by its number, from 0 to ``count``.
        progress: show a bar with images per second on stderr, if that is a terminal.
    """
    vectors = np.zeros((count, encoder.width), dtype=np.float32)
    thumbnails, unreadable = [b""] * count, dict[int, str]()
    batches = [range(start, min(start + config.batch_images, count)) for start in range(0, count, config.batch_images)]
    with (
        torch.inference_mode(),
        tqdm(total=count, unit="images", desc="images", disable=None if progress else True) as bar,
    ):

        def encode(batch: Sequence[int]) -> None:
            images = {}
            for number in batch:
                try:
                    images[number] = decoded(content(number), config.max_megapixels * 1e6, encoder.least)
                except UnreadableImageError as error:
                    unreadable[number] = str(error)
                    continue
                if config.thumbnail_height:
                    thumbnails[number] = thumbnail(images[number], config.thumbnail_height)
            if images:
                vectors[list(images)] = encoder.encode(list(images.values()))
            bar.update(len(batch))

        side_by_side(encode, batches, device)
    return EncodedImages(vectors, thumbnails, dict(sorted(unreadable.items())))
