"""Self-attention pooled by the mean, with and without each item, over padded sets; forwards and backwards by hand.

With P the attention weights, O = P V, and G_ij = 1/(1 - P_ij), G_jj = 0:

    u = 1/L sum_i O_i,    u^(-j) = 1/(L-1) ( sum_i G_ij O_i - (sum_i G_ij - (L-1)) V_j ),    since P o G = G - 1 off the diagonal

Written as single operations, most of the time goes into passes over matrices of length x length that mask, clamp and compare,
forwards and again backwards. Here padding is masked in the rows of O, which are short, 1/0 on the diagonal is taken
as 1/inf, and the gradient uses dG/dP = G², so that little is left beside the nine matrix products.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any, NamedTuple

import torch
from torch import Tensor

from pipeline.common.precision import in_full
from pipeline.common.side_by_side import side_by_side

# Added to the logits of padding: large enough for a weight of exactly zero, finite so that empty histories give no NaN.
MASKED = -1e9
# Above this weight 1 - P_ij has lost digits, and the i-th row's softmax without item j is taken directly.
SHARP = 0.99


class Sets(NamedTuple):
    """Sets of similar length, padded to the longest.

    Attributes:
        query: (sets, length, width per head), likewise key and value.
        present: (sets, length), False at padding.
    """

    query: Tensor
    key: Tensor
    value: Tensor
    present: Tensor

    @property
    def rows(self) -> Tensor:
        """(sets, length, 1), 1 at what is there and 0 at padding."""
        return self.present.unsqueeze(2).to(self.value.dtype)


class LeftOut(NamedTuple):
    """
    Attributes:
        whole: u, (sets, width per head).
        without: u^(-j), (sets, length, width per head); zero where nothing is left in the set.
    """

    whole: Tensor
    without: Tensor


@in_full
def leave_each_out(chunks: Sequence[Sets]) -> list[LeftOut]:
    """Both views of each chunk's sets, side by side on the processor's cores."""
    rows = [chunk.rows for chunk in chunks]
    sharp: list[Tensor] = []
    flat = _function().apply(rows, sharp, *(part for chunk in chunks for part in chunk[:3]))
    found = []
    for number, (chunk, peaks) in enumerate(zip(chunks, sharp, strict=True)):
        whole, without = flat[2 * number : 2 * number + 2]
        if len(peaks):
            without = without + _rows_without_their_peak(*chunk[:3], rows[number], peaks)
        found.append(LeftOut(whole, without))
    return found


def attention_weights(query: Tensor, key: Tensor, rows: Tensor) -> Tensor:
    """P, (sets, length, length).

    Args:
        query: (sets, length, width per head), likewise key.
        rows: (sets, length, 1), 1 at what is there and 0 at padding.
    """
    masked = ((1 - rows) * MASKED).transpose(1, 2).expand(-1, query.shape[1], -1)
    return torch.baddbmm(masked, query, key.transpose(1, 2), alpha=query.shape[2] ** -0.5).softmax(dim=-1)


def _rows_without_their_peak(query: Tensor, key: Tensor, value: Tensor, rows: Tensor, sharp: Tensor) -> Tensor:
    """What rows i add to u^(-j) where P_ij is close to 1, each by a softmax over its other items.

    Args:
        sharp: (found, 3), set, i and j of such weights: at most one j for each i.

    Returns:
        (sets, length, width per head), summed over i for each j.
    """
    where, row, column = sharp.unbind(1)
    left = (1 - rows[where].squeeze(2)) * MASKED
    left = left.scatter(1, column.unsqueeze(1), MASKED)
    logits = (key[where] @ (query[where, row] * query.shape[2] ** -0.5).unsqueeze(2)).squeeze(2)
    outputs = ((logits + left).softmax(dim=1).unsqueeze(1) @ value[where]).squeeze(1)
    outputs = outputs / (rows[where].sum(dim=1) - 1)
    return torch.zeros_like(value).index_put((where, column), outputs, accumulate=True)


class Forward(NamedTuple):
    """What is kept of a chunk for its gradient."""

    query: Tensor
    key: Tensor
    value: Tensor
    rows: Tensor
    weights: Tensor
    outputs: Tensor
    rescale: Tensor
    taken: Tensor
    share: Tensor
    sizes: Tensor


def _forward(query: Tensor, key: Tensor, value: Tensor, rows: Tensor) -> tuple[LeftOut, Tensor, Forward]:
    """Values but for rows that are sharp; the places of these, (found, 3); what the gradient needs."""
    weights = attention_weights(query, key, rows)
    outputs = (weights @ value) * rows
    sizes = rows.sum(dim=1, keepdim=True)
    whole = outputs.sum(dim=1) / sizes.squeeze(2).clamp(min=1)
    rest = 1 - weights
    rest.diagonal(dim1=1, dim2=2).fill_(torch.inf)
    others = sizes - 1
    sharp = torch.empty(0, 3, dtype=torch.int64, device=value.device)
    if rest.numel() and float(rest.amin()) < 1 - SHARP:
        peaks = rest < 1 - SHARP
        rest.masked_fill_(peaks, torch.inf)
        peaks = peaks & (rows > 0)
        sharp = peaks.nonzero()
        others = others - peaks.sum(dim=1).unsqueeze(2)
    rescale = rest.reciprocal_()
    summed = rescale.transpose(1, 2) @ torch.cat([outputs, rows], dim=2)
    taken = summed[:, :, -1:] - others
    share = rows / (sizes - 1).clamp(min=1)
    without = (summed[:, :, :-1] - taken * value) * share
    kept = Forward(query, key, value, rows, weights, outputs, rescale, taken, share, sizes)
    return LeftOut(whole, without), sharp, kept


def _backward(kept: Forward, of_whole: Tensor, of_without: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients of query, key and value."""
    query, key, value, rows, weights, outputs, rescale, taken, share, sizes = kept
    summed = of_without * share
    of_outputs = (rescale @ summed + (of_whole / sizes.squeeze(2).clamp(min=1)).unsqueeze(1)) * rows
    own = -(value * summed).sum(dim=2, keepdim=True)
    of_weights = torch.cat([outputs, rows], dim=2) @ torch.cat([summed, own], dim=2).transpose(1, 2)
    of_weights.mul_(rescale).mul_(rescale)
    of_weights.baddbmm_(of_outputs, value.transpose(1, 2))
    of_value = torch.baddbmm(-taken * summed, weights.transpose(1, 2), of_outputs)
    of_logits = torch._softmax_backward_data(of_weights, weights, -1, weights.dtype)
    scale = query.shape[2] ** -0.5
    return scale * (of_logits @ key), scale * (of_logits.transpose(1, 2) @ query), of_value


@cache
def _function() -> Any:
    """Made when it is asked for: torch's autograd functions are classes of its own."""

    class Function(torch.autograd.Function):
        @staticmethod
        def forward(context: Any, rows: list[Tensor], sharp: list[Tensor], *parts: Tensor) -> tuple[Tensor, ...]:
            """Whole and without of each chunk; `sharp` is filled in, with each chunk's.

            Args:
                parts: query, key and value of each chunk.
            """
            chunks = [(*parts[3 * number : 3 * number + 3], each) for number, each in enumerate(rows)]
            found = side_by_side(lambda chunk: _forward(*chunk), chunks, parts[0].device)
            sharp += [peaks for _, peaks, _ in found]
            context.save_for_backward(*(tensor for _, _, kept in found for tensor in kept))
            return tuple(view for left_out, _, _ in found for view in left_out)

        @staticmethod
        def backward(context: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
            saved, width = context.saved_tensors, len(Forward._fields)
            chunks = [
                (
                    Forward(*saved[width * number : width * (number + 1)]),
                    gradients[2 * number],
                    gradients[2 * number + 1],
                )
                for number in range(len(gradients) // 2)
            ]
            found = side_by_side(lambda chunk: _backward(*chunk), chunks, saved[0].device)
            return None, None, *(gradient for chunk in found for gradient in chunk)

    return Function
