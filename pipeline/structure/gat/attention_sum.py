"""The attention-weighted sum of a graph attention layer, without a vector for each edge.

share_ij^h = softmax_j( LeakyReLU( s_j^h + t_i^h ) ),   out_i^h = sum_j share_ij^h x_j^h,   j over the edges into i

With a message for each edge, as in message passing, an edge costs heads x width numbers that are written and read again, forward and
backward. Here the loop over a target's edges reads the sources' vectors where they are and adds them up; what is kept for each edge is
its share of each head. Backward, with G the gradient of out:

1. by source: dx_j = sum_i share_ij G_i, and for each edge G_i . x_j, while G_i is at hand;
2. by target: the gradient of the logit before the LeakyReLU, share_ij (G_i . x_j - sum_k share_ik G_i . x_k) times its slope, and its sum
   over the edges of the target, dt_i;
3. by source: ds_j, the sum of the same over its edges.

Four edges are added at a time: the sums are read and written once for four vectors.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from torch.autograd.function import once_differentiable

from pipeline.common.cached_njit import cached_njit
from pipeline.common.precision import in_full
from pipeline.structure.gat.sorted_pairs import SortedPairs, by_blocks

if TYPE_CHECKING:
    from collections.abc import Callable

Array = np.ndarray[Any, Any]

DTYPES = (torch.float32, torch.float64)


@in_full
def attention_sum(
    vectors: torch.Tensor,
    source_logits: torch.Tensor,
    target_logits: torch.Tensor,
    edges: SortedPairs,
    negative_slope: float,
    *,
    concat: bool,
) -> torch.Tensor:
    """Weighted sums of the vectors of each target's sources. On the CPU, in float32 or float64; the same bytes for any number of threads.

    Args:
        vectors: x, heads side by side, (sources, heads * width).
        source_logits: s, (sources, heads).
        target_logits: t, (targets, heads).
        edges: target and source of each.
        concat: all heads, otherwise their mean.

    Returns:
        (targets, heads * width) or (targets, width); zeros for a target without edges.
    """
    given = (vectors, source_logits, target_logits, edges, negative_slope, concat)
    found: torch.Tensor = _AttentionSum.apply(*given)  # type: ignore[no-untyped-call]
    return found


class _AttentionSum(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        vectors: torch.Tensor,
        source_logits: torch.Tensor,
        target_logits: torch.Tensor,
        edges: SortedPairs,
        negative_slope: float,
        concat: bool,
    ) -> torch.Tensor:
        x, s, t = (_array(tensor) for tensor in (vectors, source_logits, target_logits))
        heads = s.shape[1]
        sums = np.empty((len(t), x.shape[1]), dtype=x.dtype)
        shares = np.empty((len(edges.columns), heads), dtype=x.dtype)
        slope = x.dtype.type(negative_slope)
        given = (edges.starts, edges.columns, s, t, slope, x, np.empty_like(t), np.empty_like(t), shares, sums)
        by_blocks(_compiled().forward, edges.starts, *given)
        ctx.save_for_backward(vectors, source_logits, target_logits)
        ctx.edges, ctx.shares, ctx.slope, ctx.concat = edges, shares, slope, concat
        return torch.from_numpy(sums if concat else _mean_of_heads(sums, heads))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        x, s, t = (_array(tensor) for tensor in ctx.saved_tensors)
        edges, shares = ctx.edges, ctx.shares
        g = _array(gradient if ctx.concat else gradient / shares.shape[1])
        dx, ds, dt = np.empty_like(x), np.empty_like(s), np.empty_like(t)
        products = np.empty_like(shares)
        kernels, by_source = _compiled(), (edges.column_starts, edges.rows, edges.places)
        by_blocks(kernels.of_vectors, edges.column_starts, *by_source, shares, g, x, dx, products)
        by_blocks(
            kernels.of_targets,
            edges.starts,
            edges.starts,
            edges.columns,
            s,
            t,
            ctx.slope,
            shares,
            products,
            np.empty_like(t),
            dt,
        )
        by_blocks(kernels.of_sources, edges.column_starts, edges.column_starts, edges.places, products, ds)
        return torch.from_numpy(dx), torch.from_numpy(ds), torch.from_numpy(dt), None, None, None


def _mean_of_heads(sums: Array, heads: int) -> Array:
    """Of heads side by side, (rows, heads * width), their mean, (rows, width)."""
    first, *others = np.split(sums, heads, axis=1)
    mean = first.copy()
    for head in others:
        mean += head
    mean /= heads
    return mean


def _array(tensor: torch.Tensor) -> Array:
    array: Array = tensor.detach().contiguous().numpy()
    return array


class _Kernels(NamedTuple):
    forward: Callable[..., None]
    of_vectors: Callable[..., None]
    of_targets: Callable[..., None]
    of_sources: Callable[..., None]


@cache
def _compiled() -> _Kernels:
    """The loops as machine code, which numba keeps beside this file; they let go of the interpreter, so that threads run at once."""
    # Sums may be taken in another order (by vector instructions), always the same one; infinities and NaN keep their meaning.
    machine_code = cached_njit(nogil=True, fastmath={"reassoc", "contract", "nsz"})
    return _Kernels(*(machine_code(loop) for loop in (_forward, _of_vectors, _of_targets, _of_sources)))


def _forward(
    first: int,
    last: int,
    starts: Array,
    sources: Array,
    s: Array,
    t: Array,
    slope: float,
    x: Array,
    tops: Array,
    totals: Array,
    shares: Array,
    out: Array,
) -> None:
    """Rows ``first`` to ``last`` of ``out``, (targets, heads * width), and the shares of their edges, (edges, heads).

    Args:
        tops, totals: (targets, heads), to write to.
    """
    heads, whole = s.shape[1], x.shape[1]
    width = whole // heads
    for target in range(first, last):
        begin, end = starts[target], starts[target + 1]
        top, total, sums = tops[target], totals[target], out[target]
        for head in range(heads):
            top[head] = -np.inf
            total[head] = 0
        for place in range(whole):
            sums[place] = 0
        for edge in range(begin, end):
            for head in range(heads):
                top[head] = max(top[head], s[sources[edge], head])
        for head in range(heads):
            # LeakyReLU keeps the order: the largest logit is that of the largest s.
            logit = top[head] + t[target, head]
            top[head] = logit if logit > 0 else slope * logit
        for edge in range(begin, end):
            for head in range(heads):
                logit = s[sources[edge], head] + t[target, head]
                logit = logit if logit > 0 else slope * logit
                share = np.exp(logit - top[head])
                shares[edge, head] = share
                total[head] += share
        for edge in range(begin, end):
            for head in range(heads):
                shares[edge, head] /= total[head]
        edge = begin
        while edge + 4 <= end:
            row0, row1, row2, row3 = x[sources[edge]], x[sources[edge + 1]], x[sources[edge + 2]], x[sources[edge + 3]]
            for head in range(heads):
                at, to = head * width, (head + 1) * width
                x0, x1, x2, x3, part = row0[at:to], row1[at:to], row2[at:to], row3[at:to], sums[at:to]
                share0, share1, share2, share3 = (
                    shares[edge, head],
                    shares[edge + 1, head],
                    shares[edge + 2, head],
                    shares[edge + 3, head],
                )
                for place in range(width):
                    part[place] += share0 * x0[place] + share1 * x1[place] + share2 * x2[place] + share3 * x3[place]
            edge += 4
        while edge < end:
            row0 = x[sources[edge]]
            for head in range(heads):
                x0, part = row0[head * width : (head + 1) * width], sums[head * width : (head + 1) * width]
                share0 = shares[edge, head]
                for place in range(width):
                    part[place] += share0 * x0[place]
            edge += 1


def _of_vectors(
    first: int,
    last: int,
    starts: Array,
    targets: Array,
    places: Array,
    shares: Array,
    g: Array,
    x: Array,
    dx: Array,
    products: Array,
) -> None:
    """Rows ``first`` to ``last`` of ``dx``, and of their edges G_i . x_j, (edges, heads)."""
    heads = shares.shape[1]
    width = x.shape[1] // heads
    # The heads' mean has one gradient for all of them.
    step = width if g.shape[1] == x.shape[1] else 0
    zero = x.dtype.type(0)
    for source in range(first, last):
        for place in range(x.shape[1]):
            dx[source, place] = 0
        edge, end = starts[source], starts[source + 1]
        while edge + 4 <= end:
            p0, p1, p2, p3 = places[edge], places[edge + 1], places[edge + 2], places[edge + 3]
            row0, row1, row2, row3 = g[targets[edge]], g[targets[edge + 1]], g[targets[edge + 2]], g[targets[edge + 3]]
            for head in range(heads):
                mine, sums = (
                    x[source, head * width : (head + 1) * width],
                    dx[source, head * width : (head + 1) * width],
                )
                at = head * step
                g0, g1, g2, g3 = (
                    row0[at : at + width],
                    row1[at : at + width],
                    row2[at : at + width],
                    row3[at : at + width],
                )
                share0, share1, share2, share3 = shares[p0, head], shares[p1, head], shares[p2, head], shares[p3, head]
                dot0, dot1, dot2, dot3 = zero, zero, zero, zero
                for place in range(width):
                    dot0 += g0[place] * mine[place]
                    dot1 += g1[place] * mine[place]
                    dot2 += g2[place] * mine[place]
                    dot3 += g3[place] * mine[place]
                    sums[place] += share0 * g0[place] + share1 * g1[place] + share2 * g2[place] + share3 * g3[place]
                products[p0, head], products[p1, head], products[p2, head], products[p3, head] = dot0, dot1, dot2, dot3
            edge += 4
        while edge < end:
            p0, row0 = places[edge], g[targets[edge]]
            for head in range(heads):
                mine, sums = (
                    x[source, head * width : (head + 1) * width],
                    dx[source, head * width : (head + 1) * width],
                )
                g0 = row0[head * step : head * step + width]
                share0, dot0 = shares[p0, head], zero
                for place in range(width):
                    dot0 += g0[place] * mine[place]
                    sums[place] += share0 * g0[place]
                products[p0, head] = dot0
            edge += 1


def _of_targets(
    first: int,
    last: int,
    starts: Array,
    sources: Array,
    s: Array,
    t: Array,
    slope: float,
    shares: Array,
    products: Array,
    means: Array,
    dt: Array,
) -> None:
    """Rows ``first`` to ``last`` of ``dt``; their edges' products become the gradients of the logits before the LeakyReLU.

    Args:
        means: (targets, heads), to write to.
    """
    heads = shares.shape[1]
    for target in range(first, last):
        mean = means[target]
        for head in range(heads):
            mean[head] = 0
            dt[target, head] = 0
        for edge in range(starts[target], starts[target + 1]):
            for head in range(heads):
                mean[head] += shares[edge, head] * products[edge, head]
        for edge in range(starts[target], starts[target + 1]):
            for head in range(heads):
                gradient = shares[edge, head] * (products[edge, head] - mean[head])
                if s[sources[edge], head] + t[target, head] <= 0:
                    gradient *= slope
                products[edge, head] = gradient
                dt[target, head] += gradient


def _of_sources(first: int, last: int, starts: Array, places: Array, logits: Array, ds: Array) -> None:
    """Rows ``first`` to ``last`` of ``ds``, the sums of the gradients of their edges' logits."""
    heads = ds.shape[1]
    for source in range(first, last):
        for head in range(heads):
            ds[source, head] = 0
        for edge in range(starts[source], starts[source + 1]):
            for head in range(heads):
                ds[source, head] += logits[places[edge], head]
