"""The score as an inner product of a user's vector with an item's, for an index that finds an item's nearest vectors.

    preference(u, c) = [u', 1] · [r_c, b_c]   with u' = sum over views and heads of share · W^O^T u,   b_c = sum of share · b_c

so the item vectors are those of the model with one coordinate more. It holds where the view of a user does not depend on the
candidate.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from pipeline.users.coordinates import item_bias
from pipeline.users.model import Model
from pipeline.users.shares import head_shares

if TYPE_CHECKING:
    from numpy.typing import NDArray


def item_vectors(model: Model) -> NDArray[np.float32]:
    """Of all items, (M, width + 1): r_c and, last, what item biases add to the score."""
    with torch.inference_mode():
        bias = item_bias(model, head_shares(model))
        found: NDArray[np.float32] = torch.cat([model.items, bias.unsqueeze(1)], dim=1).float().cpu().numpy()
    return found


def with_ones(coordinates: NDArray[np.float32]) -> NDArray[np.float32]:
    """Users as they stand beside `item_vectors`, (users, width + 1), of their coordinates, (users, width)."""
    return np.concatenate([coordinates, np.ones((len(coordinates), 1), dtype=np.float32)], axis=1)
