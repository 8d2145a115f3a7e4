"""Arrays as text in a page: whole numbers in 16 bits where that will do, all else as the array has it, in single or half precision."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any, TypedDict

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Packed(TypedDict):
    """
    Attributes:
        shape: of the array.
        type: of its numbers: float32, float16, uint16 or uint32.
        data: their bytes in base64, the lowest first.
    """

    shape: list[int]
    type: str
    data: str


def packed(array: NDArray[np.floating[Any]]) -> Packed:
    """
    Args:
        array: whole numbers in it are below 2^24.
    """
    kind = array.dtype.name
    if array.size and array.min() >= 0 and (array == np.rint(array)).all():
        kind = "uint16" if array.max() < 2**16 else "uint32"
    numbers = array.astype(np.dtype(kind).newbyteorder("<"))
    return {"shape": list(array.shape), "type": kind, "data": base64.b64encode(numbers.tobytes()).decode("ascii")}
