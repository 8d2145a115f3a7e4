"""Which thumbnails the page has, as text inside it: of what it recommends, and then of the most rated items, up to a size."""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def posters_of(
    thumbnails: Mapping[int, bytes], picked: Iterable[int], ratings: NDArray[np.int64], limit: float, *, playable: bool
) -> dict[int, str]:
    """
    Args:
        thumbnails: of items, as WebP.
        picked: items of the lists in the page, as often as they are in one: each time with the whole image.
        ratings: of each item, (M,).
        playable: a model runs in the page, which may recommend any item: all images are there once more, for its lists.
        limit: bytes of all of them in the page.

    Returns:
        item to an address that holds the image itself.
    """
    by_ratings = np.lexsort((np.arange(len(ratings)), -ratings)).tolist() if playable else []
    times, found, size = Counter(picked), dict[int, str](), 0
    for item in dict.fromkeys([*sorted(times), *by_ratings]):
        if item not in thumbnails:
            continue
        address = f"data:image/webp;base64,{base64.b64encode(thumbnails[item]).decode()}"
        size += len(address) * (times[item] + playable)
        if size > limit:
            break
        found[item] = address
    return found
