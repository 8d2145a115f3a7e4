"""What every encoder of images is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING

from PIL import Image

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class ImageEncoder(ABC):
    """
    Attributes:
        width: of a vector.
        least: pixels in height and width below which an image is not made smaller before it comes here.
    """

    width: int
    least: int

    @abstractmethod
    def encode(self, images: Sequence[Image.Image]) -> NDArray[np.float32]:
        """Vectors of images in RGB, (images, width)."""
