"""Images of items encoded in batches: the same bytes whatever the cores, zeros and a reason for what cannot be read."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from PIL import Image

from pipeline.image.encoder import ImageEncoder
from pipeline.image.item_images import encode_images
from pipeline.image.reading import decoded
from pipeline.image.settings import ImageConfig
from tests.image.images import file_of, noise

CONTENTS = [file_of(noise(seed), "PNG") for seed in range(7)]
CONTENTS[3] = b"no image"


class Means(ImageEncoder):
    """The mean of each colour."""

    width, least = 3, 0

    def __init__(self) -> None:
        self.batches: list[int] = []

    def encode(self, images: Sequence[Image.Image]) -> np.ndarray:
        self.batches.append(len(images))
        return np.stack([np.asarray(image, dtype=np.float32).mean(axis=(0, 1)) for image in images])


def config(**changes: float) -> ImageConfig:
    settings = {"batch_images": 3, "max_megapixels": 1.0, "thumbnail_height": 30, "report_megabytes": 1.0}
    return ImageConfig.model_validate({"encoder": "means", **settings, **changes})


@pytest.mark.parametrize("cores", [1, 4])
def test_each_has_its_own_vector_and_thumbnail(cores: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.common.side_by_side.cores_here", lambda: cores)
    encoder = Means()
    found = encode_images(CONTENTS.__getitem__, len(CONTENTS), encoder, config(), torch.device("cpu"))
    assert found.vectors.dtype == np.float32
    for number, content in enumerate(CONTENTS):
        if number == 3:
            assert not found.vectors[number].any()
            assert found.thumbnails[number] == b""
            continue
        image = decoded(content, 1e6)
        np.testing.assert_allclose(found.vectors[number], np.asarray(image, dtype=float).mean(axis=(0, 1)), rtol=1e-5)
        assert decoded(found.thumbnails[number], 1e6).size == (20, 30)
    assert found.unreadable == {3: "not a readable image"}
    assert sorted(encoder.batches) == [1, 2, 3]


def test_none_that_can_be_read_and_no_thumbnails() -> None:
    settings = config(max_megapixels=1e-4, thumbnail_height=0)
    found = encode_images(CONTENTS.__getitem__, len(CONTENTS), Means(), settings, torch.device("cpu"))
    assert not found.vectors.any()
    assert found.unreadable[0] == "found 40 x 60 pixels, expected at most 0.0001 million"
    assert len(found.unreadable) == 7
    some = encode_images(CONTENTS.__getitem__, 2, Means(), config(thumbnail_height=0), torch.device("cpu"))
    assert some.thumbnails == [b"", b""]
