"""Users' histories as ragged arrays, and users in batches of similar length."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from pipeline.common.devices import placed
from pipeline.common.precision import in_full

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from scipy.sparse import csr_matrix


@dataclass(frozen=True)
class Histories:
    """Sets of items of some users, one after another (ragged): no padding but inside a chunk of attention.

    Attributes:
        items: (entries,), item indices.
        user: (entries,), position of each entry's user among the users, ascending.
        lengths: (users,), on the CPU.
    """

    items: torch.Tensor
    user: torch.Tensor
    lengths: NDArray[np.int64]

    def to(self, device: torch.device | str) -> Histories:
        """The same sets there, of those that are on the CPU."""
        return Histories(placed(self.items.numpy(), device), placed(self.user.numpy(), device), self.lengths)

    def among(self, items: int) -> torch.Tensor:
        """True where an item is in a user's set, (users, items).

        Args:
            items: how many there are.
        """
        found = torch.zeros(len(self.lengths), items, dtype=torch.bool, device=self.items.device)
        return found.index_put((self.user, self.items), found.new_ones(()))

    def of(self, first: int, last: int) -> Histories:
        """Those of the users from ``first`` up to ``last``."""
        begin, end = int(self.lengths[:first].sum()), int(self.lengths[:last].sum())
        return Histories(self.items[begin:end], self.user[begin:end] - first, self.lengths[first:last])

    def chunks(self, cells: int, across: int | None = None) -> Iterator[Chunk]:
        """Users of similar length in padded chunks of at most ``cells`` numbers (or a single user), empty sets left out.

        Args:
            across: numbers for each item of a set; as many as the set has items (attention weights), if not given.
        """
        device = self.items.device
        starts = np.r_[0, np.cumsum(self.lengths)]
        order = np.argsort(self.lengths, kind="stable")
        first = int(np.searchsorted(self.lengths[order], 1))
        while first < len(order):
            last = first + 1
            while last < len(order):
                length = int(self.lengths[order[last]])
                if (last + 1 - first) * length * (across or length) > cells:
                    break
                last += 1
            users = order[first:last]
            column = np.arange(self.lengths[users[-1]])
            present = column < self.lengths[users][:, None]
            entries = (starts[users][:, None] + column)[present]
            items = torch.zeros(present.shape, dtype=torch.int64, device=device)
            where, entry = placed(np.flatnonzero(present), device), placed(entries, device)
            items.view(-1)[where] = self.items[entry]
            yield Chunk(placed(users, device), entry, items, placed(present, device), where)
            first = last


@dataclass(frozen=True)
class Chunk:
    """Some users' sets, padded to the longest of them.

    Attributes:
        users: (chunk,), their positions among the users.
        entries: (entries of the chunk,), where they stand in `Histories`, in the order of ``present``'s true cells.
        items: (chunk, length), 0 at padding.
        present: (chunk, length), False at padding.
        cells: (entries of the chunk,), the places of ``present``'s true cells, row by row. A GPU that is asked for them is waited for.
    """

    users: torch.Tensor
    entries: torch.Tensor
    items: torch.Tensor
    present: torch.Tensor
    cells: torch.Tensor


@dataclass(frozen=True)
class Sampling:
    """How training thins histories: first each user's share, then a largest length.

    Attributes:
        random: draws.
        longest: longer histories are cut to a random sample of this size; None for no limit.
        kept: for each user the probability of an item to stay, (users,); None keeps all.
    """

    random: np.random.Generator
    longest: int | None = None
    kept: NDArray[np.float64] | None = None


def histories(
    matrix: csr_matrix, users: NDArray[np.int64], device: torch.device | str, sampling: Sampling | None = None
) -> Histories:
    """The items of some rows of a users x items matrix."""
    rows = matrix[users]
    items, lengths = rows.indices.astype(np.int64), np.diff(rows.indptr).astype(np.int64)
    user = np.repeat(np.arange(len(users)), lengths)
    if sampling and sampling.kept is not None:
        stay = sampling.random.random(len(items)) < sampling.kept[user]
        items, user = items[stay], user[stay]
        lengths = np.bincount(user, minlength=len(users)).astype(np.int64)
    if sampling and sampling.longest and lengths.max(initial=0) > sampling.longest:
        shuffled = np.lexsort((sampling.random.random(len(items)), user))
        place = np.arange(len(items)) - np.r_[0, np.cumsum(lengths)][user]
        kept = shuffled[place < sampling.longest]
        items, user, lengths = items[kept], user[kept], np.minimum(lengths, sampling.longest)
    return Histories(placed(items, device), placed(user, device), lengths)


def merged(likes: Histories, dislikes: Histories) -> Histories:
    """Both sets of each user as one."""
    user = torch.cat([likes.user, dislikes.user])
    order = torch.argsort(user, stable=True)
    return Histories(torch.cat([likes.items, dislikes.items])[order], user[order], likes.lengths + dislikes.lengths)


def read_by(view: str, likes: Histories, dislikes: Histories) -> Histories:
    """The sets that a view reads: likes, dislikes, or both as one (rated)."""
    return {"likes": likes, "dislikes": dislikes}[view] if view != "rated" else merged(likes, dislikes)


@in_full
def add_up(history: Histories, rows: torch.Tensor) -> torch.Tensor:
    """Sum over each user's set of the items' rows, (users, columns), by a sparse product.

    Args:
        rows: (M, columns).
    """
    total: torch.Tensor = _AddedUp.apply(rows, history.user, history.items, len(history.lengths))  # type: ignore[no-untyped-call]
    return total


class _AddedUp(torch.autograd.Function):
    """The product H rows, and its gradient H^T g as another sparse product: indexing would write a row for every entry."""

    @staticmethod
    def forward(context: Any, rows: torch.Tensor, user: torch.Tensor, items: torch.Tensor, users: int) -> torch.Tensor:
        context.save_for_backward(user, items)
        context.items = len(rows)
        return _times(user, items, (users, len(rows)), rows)

    @staticmethod
    def backward(context: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        user, items = context.saved_tensors
        (gradient,) = gradients
        return _times(items, user, (context.items, len(gradient)), gradient), None, None, None


def _times(row: torch.Tensor, column: torch.Tensor, shape: tuple[int, int], rows: torch.Tensor) -> torch.Tensor:
    """A 0/1 matrix, by the places of its ones, times rows."""
    ones = torch.ones(len(row), dtype=rows.dtype, device=rows.device)
    with warnings.catch_warnings():
        # PyTorch says once that its CSR tensors are in beta; a product of two is all that is needed of them.
        warnings.filterwarnings("ignore", message="Sparse CSR tensor support is in beta state")
        # Left unsaid, `check_invariants` draws a warning.
        if rows.device.type == "cpu":
            where = torch.stack([row, column])
            matrix = torch.sparse_coo_tensor(where, ones, shape, check_invariants=False).coalesce().to_sparse_csr()
        else:
            # `coalesce` asks how many are left, for which a GPU is waited for; each place is there once.
            ordered, order = row.sort(stable=True)
            starts = torch.searchsorted(ordered, torch.arange(shape[0] + 1, device=row.device))
            matrix = torch.sparse_csr_tensor(starts, column[order], ones, shape, check_invariants=False)
    total: torch.Tensor = torch.sparse.mm(matrix, rows.contiguous())
    return total


def batches_of_similar_length(
    lengths: NDArray[np.int64], size: int, random: np.random.Generator
) -> list[NDArray[np.int64]]:
    """All users in batches of at most ``size``, neighbours in length together, in random order.

    Users drawn at random would be padded to the longest of them.
    Lengths are jittered by up to a fifth, so that not the same users meet in every epoch.
    """
    jittered = lengths * random.uniform(0.8, 1.2, len(lengths))
    order = np.argsort(jittered, kind="stable")
    batches = [order[start : start + size] for start in range(0, len(order), size)]
    return [batches[index] for index in random.permutation(len(batches))]
