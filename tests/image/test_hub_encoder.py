"""Vision models of transformers out of a folder: which of their states is the vector, and one line for what cannot be loaded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import (
    CLIPConfig,
    CLIPImageProcessorPil,
    CLIPModel,
    ConvNextConfig,
    ConvNextModel,
    Dinov2Config,
    Dinov2Model,
    SwinConfig,
    SwinModel,
    ViTConfig,
    ViTImageProcessorPil,
    ViTModel,
)

from pipeline.common.errors import InputError
from pipeline.image.hub_encoder import LONGEST, HubEncoder
from tests.image.images import noise, picture

SIDE, WIDTH = 16, 8
LAYERS = {"hidden_size": WIDTH, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 8}
VIT = ViTConfig(image_size=SIDE, patch_size=8, **LAYERS)


def saved(folder: Path, model: Any, processor: Any = ViTImageProcessorPil) -> Path:
    torch.manual_seed(0)
    model.save_pretrained(folder)
    size = {"shortest_edge": SIDE} if processor is CLIPImageProcessorPil else {"height": SIDE, "width": SIDE}
    crop = {"crop_size": {"height": SIDE, "width": SIDE}} if processor is CLIPImageProcessorPil else {}
    processor(size=size, **crop).save_pretrained(folder)
    return folder


def clip() -> CLIPModel:
    layers = {name: value for name, value in LAYERS.items() if name != "hidden_size"}
    vision = {"hidden_size": WIDTH, "image_size": SIDE, "patch_size": 8, **layers}
    text = {"hidden_size": WIDTH, "vocab_size": 20, "max_position_embeddings": 8, **layers}
    return CLIPModel(CLIPConfig(text_config=text, vision_config=vision, projection_dim=6))


def pixels(encoder: HubEncoder, images: list[Image.Image]) -> torch.Tensor:
    return encoder.processor(images=images, return_tensors="pt")["pixel_values"]


@pytest.mark.parametrize("kind", ["vit", "dinov2", "convnext", "swin", "clip"])
def test_the_vector_is_the_models_own_or_its_class_token_or_a_mean(kind: str, tmp_path: Path) -> None:
    made = {
        "vit": lambda: ViTModel(VIT),
        "dinov2": lambda: Dinov2Model(Dinov2Config(image_size=SIDE, patch_size=8, **{**LAYERS, "mlp_ratio": 2})),
        "convnext": lambda: ConvNextModel(ConvNextConfig(hidden_sizes=[4, WIDTH], depths=[1, 1], num_stages=2)),
        "swin": lambda: SwinModel(
            SwinConfig(image_size=SIDE, patch_size=4, embed_dim=4, depths=[1, 1], num_heads=[1, 2], window_size=2)
        ),
        "clip": clip,
    }
    folder = saved(tmp_path / kind, made[kind](), CLIPImageProcessorPil if kind == "clip" else ViTImageProcessorPil)
    encoder = HubEncoder(str(folder), "cpu")
    images = [noise(0), picture(), noise(1, (60, 40))]
    found = encoder.encode(images)
    assert found.shape == (3, encoder.width)
    assert found.dtype == np.float32
    with torch.inference_mode():
        read = pixels(encoder, images)
        if kind == "clip":
            expected = encoder.model.visual_projection(encoder.model.vision_model(pixel_values=read).pooler_output)
        else:
            states = encoder.model(pixel_values=read).last_hidden_state
            by_class = states[:, 0] if kind in ("vit", "dinov2") else states.mean(dim=1) if kind == "swin" else None
            expected = states.mean(dim=(2, 3)) if by_class is None else by_class
    np.testing.assert_allclose(found, expected.numpy(), atol=1e-6)
    assert np.array_equal(HubEncoder(str(folder), "cpu").encode(images), found)


def test_a_long_image_is_cut_before_a_processor_makes_it_longer(tmp_path: Path) -> None:
    encoder = HubEncoder(str(saved(tmp_path / "clip", clip(), CLIPImageProcessorPil)), "cpu")
    found = encoder.encode([Image.new("RGB", (3, 3000)), Image.new("RGB", (3000, 3)), Image.new("RGB", (1, 1))])
    assert np.isfinite(found).all()
    long = noise(0, (10, 400))
    cut = long.crop((0, 200 - 5 * LONGEST, 10, 200 + 5 * LONGEST))
    assert np.array_equal(encoder.encode([long]), encoder.encode([cut]))


def test_what_is_no_vision_model_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match="encoder: found 'nowhere/at all', which is neither a folder nor a possible hub id"
    ):
        HubEncoder("nowhere/at all", "cpu")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"without a config\.json"):
        HubEncoder(str(tmp_path / "empty"), "cpu")
    folder = saved(tmp_path / "vit", ViTModel(VIT))
    (folder / "preprocessor_config.json").unlink()
    with pytest.raises(
        InputError, match="which cannot be loaded; expected packaged-efficientnet-lite0, a model folder"
    ):
        HubEncoder(str(folder), "cpu")


def test_a_model_that_makes_no_vector_is_one_line(tmp_path: Path) -> None:
    folder = saved(tmp_path / "vit", ViTModel(VIT))
    ViTImageProcessorPil(size={"height": 2 * SIDE, "width": SIDE}).save_pretrained(folder)
    with pytest.raises(
        InputError, match=r"which makes no vector of an image: Input image size .* expected a vision model"
    ):
        HubEncoder(str(folder), "cpu")
    model = ViTModel(VIT)
    torch.nn.init.constant_(model.layernorm.bias, torch.nan)
    with pytest.raises(InputError, match="which makes no vector of an image: its numbers are not finite; expected"):
        HubEncoder(str(saved(tmp_path / "nan", model)), "cpu")


def test_weights_that_are_not_there_are_not_drawn(tmp_path: Path) -> None:
    folder = saved(tmp_path / "vit", ViTModel(VIT, add_pooling_layer=False))
    # A pooler is no part of what is read.
    assert HubEncoder(str(folder), "cpu").width == WIDTH
    ViTConfig(image_size=SIDE, patch_size=8, **{**LAYERS, "num_hidden_layers": 2}).save_pretrained(folder)
    with pytest.raises(InputError, match="whose weights lack "):
        HubEncoder(str(folder), "cpu")
