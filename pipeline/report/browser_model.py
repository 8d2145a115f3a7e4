"""A model small enough to run in a page: scores and contributions there are those of Python, for whatever is liked and disliked.

Without attention a view is a sum, so that its heads fold into one matrix K for each view, and item j of a history of n
contributes to candidate c

    n^(gamma - 1) · r_j^T K r_c  (+ v B_jc),   K = scale · sum over heads of share · w · W^V W^O

A preference is the sum of all contributions and of the candidate's bias. A page needs R, K of each view and the biases. EASE's
item-to-item weights B have items squared numbers, so a model that has them fits for a small catalogue only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch

from pipeline.users.model import Model
from pipeline.users.shares import head_shares

if TYPE_CHECKING:
    from numpy.typing import NDArray

# All numbers of a model, as float32: what a page can bear.
BYTES_AT_MOST = 8_000_000


class BrowserModel(NamedTuple):
    """
    Attributes:
        arrays: `items` R, (M, d); `biases`, (M,); `pull.<view>` K, (d, d); `together.<view>` v B, (M, M), where there is one.
        exponents: view to gamma.
    """

    arrays: dict[str, NDArray[np.float32]]
    exponents: dict[str, float]

    @property
    def size(self) -> int:
        """Bytes of all arrays."""
        return sum(array.nbytes for array in self.arrays.values())


def why_not(model: Model) -> str:
    """Why a model cannot run in a page; empty where it can."""
    if not all(view.is_sum for view in model.scorer.each_view().values()):
        return "its views use attention"
    if len(model.scorer.terms):
        return "its views have terms"
    count, width = model.items.shape
    squared = count**2 if model.co_rating is not None else 0
    numbers = count * (width + 1) + len(model.scorer.views) * (width**2 + squared)
    if 4 * numbers > BYTES_AT_MOST:
        what = "item-to-item weights" if squared else "item vectors"
        return f"its {what} take {4 * numbers / 1e6:.0f} MB, and a page can bear {BYTES_AT_MOST / 1e6:.0f} MB"
    return ""


def fold(model: Model) -> BrowserModel:
    """
    Args:
        model: one for which `why_not` is empty.
    """
    scorer, shares = model.scorer, head_shares(model)
    rows = {head: scorer.heads.index(head) for head in shares}
    arrays, exponents = {"items": _numbers(model.items)}, {}
    with torch.inference_mode():
        biases = torch.zeros(len(model.items), dtype=torch.float64)
        for head, share in shares.items():
            if head in scorer.item_bias:
                biases = biases + share * scorer.item_bias[head].cpu().double()
        arrays["biases"] = _numbers(biases)
        for place, (name, view) in enumerate(scorer.each_view().items()):
            read = torch.zeros_like(view.value, dtype=torch.float64)
            for head, share in shares.items():
                read = read + view.output[head].double() * (share * scorer.weights[rows[head], place].double())
            arrays[f"pull.{name}"] = _numbers(view.value.double() @ read * scorer.scale)
            exponents[name] = float(view.exponent)
            if model.co_rating is not None:
                weight = sum(share * float(scorer.co_weights[rows[head], place]) for head, share in shares.items())
                arrays[f"together.{name}"] = _numbers(model.co_rating[name] * weight)
    return BrowserModel(arrays, exponents)


def _numbers(values: torch.Tensor) -> NDArray[np.float32]:
    found: NDArray[np.float32] = values.detach().float().cpu().numpy()
    return found
