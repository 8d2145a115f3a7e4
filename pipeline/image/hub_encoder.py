"""Vision models of transformers: CLIP, SigLIP, ViT, DINO, ConvNeXt and the like, out of a folder or from the hub."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from PIL import Image
from transformers import AutoImageProcessor, AutoModel

from pipeline.common.errors import InputError
from pipeline.common.saved_model import saved_model
from pipeline.image.encoder import ImageEncoder
from pipeline.image.settings import PACKAGED

if TYPE_CHECKING:
    from numpy.typing import NDArray


# The longer side of an image is at most so many times the shorter one: some processors make the shorter one a certain length, whatever
# becomes of the other.
LONGEST = 4


class HubEncoder(ImageEncoder):
    """A model's own vector of an image where it has one (CLIP, SigLIP); else its state at the class token, or the mean over the image.

    Args:
        name: a folder or a hub id.

    Raises:
        InputError: it cannot be loaded, or makes no vectors of images.
    """

    least = 1024

    def __init__(self, name: str, device: torch.device | str) -> None:
        self.name, self.device = name, device
        self.processor, self.model = saved_model(name, Path(name), PACKAGED, _load)
        self.model.eval().requires_grad_(False).to(device)
        if getattr(self.model, "main_input_name", "") != "pixel_values" and not hasattr(
            self.model, "get_image_features"
        ):
            raise InputError(f"encoder: found {name!r}, which reads no images; expected a vision model")
        self._has_class = any(
            name.endswith(("cls_token", "class_embedding")) for name, _ in self.model.named_parameters()
        )
        self.width = self._tried()

    def _tried(self) -> int:
        """The width of a vector.

        Raises:
            InputError: an image gives none, or not of finite numbers.
        """
        try:
            (vector,) = self.encode([Image.new("RGB", (32, 32))])
            if not np.isfinite(vector).all():
                raise ValueError("its numbers are not finite")
        # Each model has its own words for pixels that a processor made for another one.
        except (ValueError, TypeError, LookupError, AttributeError, RuntimeError) as error:
            raise InputError(
                f"encoder: found {self.name!r}, which makes no vector of an image: {' '.join(str(error).split())[:160]}; expected a vision "
                "model with the processor that belongs to it"
            ) from None
        return len(vector)

    def encode(self, images: Sequence[Image.Image]) -> NDArray[np.float32]:
        read = self.processor(images=[_no_longer(image) for image in images], return_tensors="pt")
        with torch.inference_mode():
            found: NDArray[np.float32] = self._vectors(read["pixel_values"].to(self.device)).float().cpu().numpy()
        return found

    def _vectors(self, pixels: torch.Tensor) -> torch.Tensor:
        if hasattr(self.model, "get_image_features"):
            features = self.model.get_image_features(pixel_values=pixels)
            found: torch.Tensor = features if isinstance(features, torch.Tensor) else features.pooler_output
            return found
        states: torch.Tensor = self.model(pixel_values=pixels).last_hidden_state
        if states.ndim == 4:
            return states.mean(dim=(2, 3))
        return states[:, 0] if self._has_class else states.mean(dim=1)


def _load(saved: str | Path, **safe: bool) -> tuple[Any, Any, list[str]]:
    # In Pillow's arithmetic: another one would be used where torchvision is installed, and give other pixels.
    processor = AutoImageProcessor.from_pretrained(saved, backend="pil", **safe)
    model, loaded = AutoModel.from_pretrained(saved, weights_only=True, output_loading_info=True, **safe)
    return processor, model, list(loaded["missing_keys"])


def _no_longer(image: Image.Image) -> Image.Image:
    """The middle of an image that is all length."""
    width, height = image.size
    longest = LONGEST * min(width, height)
    if max(width, height) <= longest:
        return image
    wide, high = min(width, longest), min(height, longest)
    left, upper = (width - wide) // 2, (height - high) // 2
    return image.crop((left, upper, left + wide, upper + high))
