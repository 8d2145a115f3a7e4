"""Users' histories as ragged arrays, and users in batches of similar length."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch
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

    def chunks(self, cells: int) -> Iterator[Chunk]:
        """Users of similar length in padded chunks of at most ``cells`` attention weights (or a single user), empty sets left out."""
        import torch

        device = self.items.device
        starts = np.r_[0, np.cumsum(self.lengths)]
        order = np.argsort(self.lengths, kind="stable")
        first = int(np.searchsorted(self.lengths[order], 1))
        while first < len(order):
            last = first + 1
            while last < len(order) and (last + 1 - first) * int(self.lengths[order[last]]) ** 2 <= cells:
                last += 1
            users = order[first:last]
            column = np.arange(self.lengths[users[-1]])
            present = column < self.lengths[users][:, None]
            entries = (starts[users][:, None] + column)[present]
            items = torch.zeros(present.shape, dtype=torch.int64, device=device)
            where, entry = torch.from_numpy(present).to(device), torch.from_numpy(entries).to(device)
            items[where] = self.items[entry]
            yield Chunk(torch.from_numpy(users).to(device), entry, items, where)
            first = last


@dataclass(frozen=True)
class Chunk:
    """Some users' sets, padded to the longest of them.

    Attributes:
        users: (chunk,), their positions among the users.
        entries: (entries of the chunk,), where they stand in `Histories`, in the order of ``present``'s true cells.
        items: (chunk, length), 0 at padding.
        present: (chunk, length), False at padding.
    """

    users: torch.Tensor
    entries: torch.Tensor
    items: torch.Tensor
    present: torch.Tensor


def histories(
    matrix: csr_matrix,
    users: NDArray[np.int64],
    device: torch.device | str,
    sample: tuple[int, np.random.Generator] | None = None,
) -> Histories:
    """The items of some rows of a users x items matrix.

    Args:
        sample: a largest length and a generator: longer histories are cut to a random sample of that size.
    """
    import torch

    rows = matrix[users]
    items, lengths = rows.indices.astype(np.int64), np.diff(rows.indptr).astype(np.int64)
    user = np.repeat(np.arange(len(users)), lengths)
    if sample and lengths.max(initial=0) > sample[0]:
        size, random = sample
        shuffled = np.lexsort((random.random(len(items)), user))
        kept = shuffled[np.arange(len(items)) - rows.indptr[user] < size]
        items, user, lengths = items[kept], user[kept], np.minimum(lengths, size)
    return Histories(torch.from_numpy(items).to(device), torch.from_numpy(user).to(device), lengths)


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
