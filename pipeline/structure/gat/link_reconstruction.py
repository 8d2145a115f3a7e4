"""The loss of a graph autoencoder, and the pairs that it is over (Kipf, Welling, "Variational graph auto-encoders", 2016).

loss = mean over edges of -log(p + epsilon) + mean over as many other pairs of -log(1 - p + epsilon),  p = sigmoid(z_i . z_j)

As `GAE.recon_loss` of PyTorch Geometric, which it is on another device; on the CPU without a vector for each pair: loss and gradient in one
pass by row and one by column.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np
import torch
from torch.autograd.function import once_differentiable
from torch_geometric.nn import GAE

from pipeline.common.cached_njit import cached_njit
from pipeline.common.devices import placed
from pipeline.structure.gat.attention_sum import DTYPES
from pipeline.structure.gat.sorted_pairs import SortedPairs, by_blocks, sorted_pairs

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

Array = np.ndarray[Any, Any]
# Of two items: sorted for the loops of the CPU; on another device row and column of each, (2, pairs).
Pairs: TypeAlias = SortedPairs | torch.Tensor

# As in `GAE.recon_loss`.
EPSILON = 1e-15


class Links:
    """Edges of a graph of M items to reconstruct, and the pairs that are none.

    Args:
        edge_index: both directions of each edge, (2, edges).
        items: M.
        device: where the pairs are.

    Attributes:
        edges: each once, from the smaller item to the larger: a pair's loss is the same in both directions, and so is the mean.
        count: of other pairs that are drawn: one for each direction of an edge, or all where there are fewer.
    """

    def __init__(self, edge_index: NDArray[np.int64], items: int, device: torch.device | str = "cpu") -> None:
        self.items, self.device = items, torch.device(device)
        once = edge_index[:, edge_index[0] < edge_index[1]]
        self.edges = self._pairs(once[0], once[1])
        # Pairs as numbers, row by row, of which edges and loops are not drawn.
        taken = _sorted_once(np.r_[edge_index[0] * items + edge_index[1], np.arange(items) * (items + 1)])
        self._untaken_before = taken - np.arange(len(taken))
        self._untaken = items**2 - len(taken)
        self.count = min(edge_index.shape[1], self._untaken)

    def others(self, random: np.random.Generator) -> Pairs:
        """``count`` ordered pairs of two items without an edge, all such sets equally likely."""
        numbers = distinct(self._untaken, self.count, random)
        numbers += np.searchsorted(self._untaken_before, numbers, side="right")
        return self._pairs(*np.divmod(numbers, self.items))

    def _pairs(self, row: NDArray[np.int64], column: NDArray[np.int64]) -> Pairs:
        if self.device.type != "cpu":
            return placed(np.stack([row, column]), self.device)
        return sorted_pairs(row, column, (self.items, self.items))


def distinct(population: int, size: int, random: np.random.Generator) -> NDArray[np.int64]:
    """``size`` different numbers below ``population``, ascending, all sets equally likely.

    Numbers are drawn, and as many again as have been drawn twice, until there are enough: those that come first in a long row of draws.
    """
    if 2 * size > population:
        left = np.ones(population, dtype=bool)
        left[distinct(population, population - size, random)] = False
        return np.flatnonzero(left)
    found = _sorted_once(random.integers(population, size=size))
    while len(found) < size:
        found = _sorted_once(np.r_[found, random.integers(population, size=size - len(found))])
    return found


def _sorted_once(numbers: NDArray[np.int64]) -> NDArray[np.int64]:
    """As `numpy.unique`, which no longer sorts first, and takes many times as long."""
    numbers = np.sort(numbers)
    first: NDArray[np.bool_] = np.ones(len(numbers), dtype=bool)
    first[1:] = numbers[1:] != numbers[:-1]
    once: NDArray[np.int64] = numbers[first]
    return once


def reconstruction_loss(codes: torch.Tensor, edges: Pairs, others: Pairs) -> torch.Tensor:
    """The loss above. On the CPU in float32 or float64 by machine code, with the same bytes for any number of threads.

    Args:
        codes: z, (M, width).
        edges, others: on the device of the codes.
    """
    if isinstance(edges, SortedPairs) and codes.dtype in DTYPES:
        found: torch.Tensor = _ReconstructionLoss.apply(codes, edges, others)  # type: ignore[no-untyped-call]
        return found
    pairs = (torch.from_numpy(pairs.by_row()) if isinstance(pairs, SortedPairs) else pairs for pairs in (edges, others))
    plain: torch.Tensor = GAE(torch.nn.Identity()).recon_loss(codes, *pairs)
    return plain


class _ReconstructionLoss(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, codes: torch.Tensor, edges: SortedPairs, others: SortedPairs) -> torch.Tensor:
        z = codes.detach().contiguous().numpy()
        gradient, loss = np.zeros_like(z), 0.0
        kernels = _compiled()
        for pairs, sign in ((edges, 1), (others, -1)):
            count = len(pairs.columns)
            losses, weights = np.empty(len(z)), np.empty(count, dtype=z.dtype)
            epsilon, share = z.dtype.type(EPSILON), z.dtype.type(1 / count)
            by_row = (pairs.starts, pairs.columns, z, z.dtype.type(sign), epsilon, share)
            by_blocks(kernels.by_row, pairs.starts, *by_row, losses, weights, gradient)
            by_column = (pairs.column_starts, pairs.rows, pairs.places, weights, z)
            by_blocks(kernels.by_column, pairs.column_starts, *by_column, gradient)
            loss += losses.sum() / count
        ctx.gradient = gradient
        return codes.new_tensor(loss)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        return torch.from_numpy(ctx.gradient) * gradient, None, None


class _Kernels(NamedTuple):
    by_row: Callable[..., None]
    by_column: Callable[..., None]


@cache
def _compiled() -> _Kernels:
    """The loops as machine code, which numba keeps beside this file; they let go of the interpreter, so that threads run at once."""
    # As in `pipeline.structure.gat.attention_sum`.
    machine_code = cached_njit(nogil=True, fastmath={"reassoc", "contract", "nsz"})
    return _Kernels(machine_code(_by_row), machine_code(_by_column))


def _by_row(
    first: int,
    last: int,
    starts: Array,
    columns: Array,
    z: Array,
    sign: float,
    epsilon: float,
    share: float,
    losses: Array,
    weights: Array,
    gradient: Array,
) -> None:
    """Sums of rows' losses, of each pair the derivative of the mean loss by z_i . z_j, and what the rows add to the gradient.

    Args:
        sign: 1 where p should be 1, -1 where it should be 0.
        share: of a pair in the mean.
    """
    width = z.shape[1]
    zero, one = z.dtype.type(0), z.dtype.type(1)
    for row in range(first, last):
        losses[row] = 0.0
        mine, sums = z[row], gradient[row]
        for pair in range(starts[row], starts[row + 1]):
            other = z[columns[pair]]
            product = zero
            for place in range(width):
                product += mine[place] * other[place]
            p = one / (one + np.exp(-product))
            right = p if sign > 0 else one - p
            losses[row] -= np.log(right + epsilon)
            weight = -sign * share * p * (one - p) / (right + epsilon)
            weights[pair] = weight
            for place in range(width):
                sums[place] += weight * other[place]


def _by_column(
    first: int,
    last: int,
    starts: Array,
    rows: Array,
    places: Array,
    weights: Array,
    z: Array,
    gradient: Array,
) -> None:
    """What columns ``first`` to ``last`` add to the gradient."""
    width = z.shape[1]
    for column in range(first, last):
        sums = gradient[column]
        pair, end = starts[column], starts[column + 1]
        while pair + 4 <= end:
            z0, z1, z2, z3 = z[rows[pair]], z[rows[pair + 1]], z[rows[pair + 2]], z[rows[pair + 3]]
            w0, w1, w2, w3 = (
                weights[places[pair]],
                weights[places[pair + 1]],
                weights[places[pair + 2]],
                weights[places[pair + 3]],
            )
            for place in range(width):
                sums[place] += w0 * z0[place] + w1 * z1[place] + w2 * z2[place] + w3 * z3[place]
            pair += 4
        while pair < end:
            z0, w0 = z[rows[pair]], weights[places[pair]]
            for place in range(width):
                sums[place] += w0 * z0[place]
            pair += 1
