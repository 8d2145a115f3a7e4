"""Which thumbnails the page has, as text inside it: of what it recommends, and then of the most rated items, up to a size."""

from __future__ import annotations

import base64
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def posters_of(
    thumbnails: Mapping[int, bytes], picked: Collection[int], ratings: NDArray[np.int64], limit: float
) -> dict[int, str]:
    """
    Args:
        thumbnails: of items, as WebP.
        picked: items that the page shows in any case.
        ratings: of each item, (M,).
        limit: bytes of all of them in the page.

    Returns:
        item to an address that holds the image itself.
    """
    by_ratings = np.lexsort((np.arange(len(ratings)), -ratings)).tolist()
    found, size = dict[int, str](), 0
    for item in dict.fromkeys([*sorted(picked), *by_ratings]):
        if item not in thumbnails:
            continue
        address = f"data:image/webp;base64,{base64.b64encode(thumbnails[item]).decode()}"
        size += len(address)
        if size > limit:
            break
        found[item] = address
    return found
